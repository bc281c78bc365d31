# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names announce a secret, and which values look like one. PRIVATE."""

from __future__ import annotations

import functools
import math
import re

from .formats import compiled

#: A name that announces a secret is of one of these classes. What may be taken for a secret behind it depends on the class.
PASSWORD, SECRET, TOKEN, KEY = "password", "secret", "token", "key"

#: What a password is called elsewhere. The word "pass" is in some of them, too.
FOREIGN = ("kennwort", "contrase", "senha", "parola", "lozinka", "haslo", "heslo", "wachtwoord", "has\u0142o", "l\u00f6senord", "jelsz\u00f3", "\u015fifre",
           "\u043f\u0430\u0440\u043e\u043b\u044c", "\u5bc6\u7801")  # fmt: skip
_FOREIGN_WORDS = ("kennwort", "contrasena", "contrasenya", "senha", "parola", "lozinka", "haslo", "heslo", "wachtwoord", "losenord", "jelszo", "sifre",
                  "motdepasse", "passord", "salasana", "adgangskode")  # fmt: skip
_OTHER_LETTERS = ("\u043f\u0430\u0440\u043e\u043b\u044c", "\u5bc6\u7801")
_ACCENTS = str.maketrans("\u00f1\u00d1\u0142\u0141\u00f6\u00d6\u00f3\u00d3\u015f\u015e\u00e9\u00c9", "nNlLoOoOsSeE")
_PASSWORDS = ("password", "passwords", "passwd", "passphrase", "passphrases", "passcode", "passwort", "pwd", "psk")
_SECRETS = ("secret", "credential", "credentials", "creds")
_TOKENS = ("token", "authtoken", "apitoken", "accesstoken", "bearer", "auth", "pat")
_JOINED_KEYS = ("apikey", "accesskey", "secretkey", "privatekey", "privkey", "authkey", "accountkey", "signingkey", "encryptionkey", "masterkey",
                "presharedkey", "sharedaccesskey", "licensekey", "sessionkey", "clientkey", "appkey")  # fmt: skip
# A key is only a secret when the word before it says so.
_BEFORE_KEY = frozenset(
    "api access secret private priv auth account encryption encrypt crypt cipher signing sign signature master shared preshared storage service "
    "client security app application license deploy session hmac jwt webhook consumer integration ingest write read instrumentation admin root "
    "wireguard wg data aes des rsa".split()
)
# What may follow the word without changing what the value is.
_HARMLESS = frozenset(
    "value val text txt plain plaintext string str raw base64 b64 hex prod production dev devel development stage staging test testing qa live "
    "main primary secondary backup master old new current cur previous prev default admin root db database base again confirm confirmation repeat "
    "verify verification app api web user service internal external local remote env smtp ldap mysql postgres redis rabbitmq github gitlab slack "
    "aws gcp azure key".split()
)
# What makes the value something else than the secret.
_OTHER = frozenset(
    "file files filename path paths ttl name names type types url uri endpoint length len min max minimum maximum policy expire expires expired "
    "expiry expiration lifetime duration age timeout count counter size id ids ref refs reference version enabled enable disabled disable "
    "required require requires reset field prompt hint store storage manager provider dir directory location mode limit limits format prefix "
    "suffix header headers created updated changed modified last at date time usage used issuer audience bucket command cmd arn environment var "
    "variable label title description placeholder regex pattern rule rules strength method methods algorithm algo alg hash hashed digest "
    "fingerprint index position error errors status state valid invalid validation scope scopes rotation rotate protected protection generator "
    "helper handler service_name kind source target class classes agent socket sock parser stream kinds info authentication authenticator plugin "
    "module backend server host port list set map mount form page policy_arn needed auth only less change pair pairs string_length validator "
    "checker entry expression literal start end line column offset".split()
)
# Heads that make a token something that opens no door.
_NO_TOKEN = frozenset(
    "page next continue continuation sync max min num n total input output prompt completion pad eos bos unk unexpected parse parser lexer lex "
    "cancel cancellation".split()
)
_SPLIT = r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+"


def _word_class(word: str, before: str) -> str | None:
    word = word.rstrip("0123456789")
    if word.endswith(_PASSWORDS) or word.endswith(_FOREIGN_WORDS) or (word, before) == ("passe", "de"):
        return PASSWORD
    if word in ("pass", "pw", "userpass", "dbpass", "mypass", "sshpass", "rootpass", "adminpass"):
        return PASSWORD
    if word.endswith(_JOINED_KEYS) or (word == "key" and before.rstrip("0123456789") in _BEFORE_KEY):
        return KEY
    if word.endswith("secret") or word in _SECRETS:
        return SECRET
    if word.endswith("token") or word in _TOKENS:
        return TOKEN
    return None


@functools.lru_cache(maxsize=2048)
def name_class(name: str) -> tuple[str, bool] | None:
    """(class, whether the name is surely one) when *name* announces a secret, else ``None``."""
    if not name.isascii():
        name = name.translate(_ACCENTS)
        if name.lower().endswith(_OTHER_LETTERS):
            return PASSWORD, True
    words = [word.lower() for word in compiled(_SPLIT).split(name) if word]
    if name.strip("\"'$%{}[]- ") in ("PWD", "OLDPWD"):
        return None
    for at in range(len(words) - 1, -1, -1):
        found = _word_class(words[at], words[at - 1] if at else "")
        if found is None:
            if words[at] in _OTHER:
                return None
            continue
        if found == TOKEN and at and words[at - 1] in _NO_TOKEN:
            return None
        tail = words[at + 1 :]
        sure = all(word in _HARMLESS or word.isdigit() for word in tail)
        # A bare "pass" or "auth" is a word of many meanings.
        if not tail and words[at] in ("pass", "pw", "auth", "pat", "bearer") and at == 0:
            sure = False
        return found, sure
    return None


# Keys that say something about a secret, and do not hold it.
_ABOUT = frozenset(
    "key keys namespace choices elements aliases options message msg reason comment note notes example examples format help no_log uid gid".split()
)


def describes(key: str) -> bool:
    """Whether *key*, in a dictionary that stands under a telling name, is for something else than the secret: ``min_length``, ``secretKeyRef``."""
    words = [word.lower() for word in compiled(_SPLIT).split(key) if word]
    return bool(words) and (words[-1] in _OTHER or words[-1] in _ABOUT)


def last_word(name: str) -> str:
    """The last part of a path of names: ``root_password`` of ``mysql-server/root_password``, ``password`` of ``/user[@id='1']/password/text()``."""
    name = name[-400:]
    if "/" not in name:
        return name
    parts = [part for part in compiled(r"\[[^\]]{0,200}\]|\(\)").sub("", name).split("/") if part not in ("", "text")]
    return parts[-1].lstrip("@") if parts else name


def number(name: str, value: float) -> str | None:
    """The kind of secret that a number under *name* is: a code, and not a count."""
    found = name_class(name) if len(name) <= 128 else None
    if found is None or found[0] == TOKEN or not found[1] or sum(map(str.isdigit, str(value))) < 4:
        return None
    return found[0]


# --- values -----------------------------------------------------------------------------------------------------------

# What stands for a value that is elsewhere. What is in brackets may be a secret just as well: these must hold no more than words.
_PLACEHOLDER = (
    r"(?i:"
    r"\$\{[^}]{0,200}\}|\$\([^)]{0,200}\)|\$\[[^\]]{0,200}\]|\{\{.{0,200}\}\}|<%.{0,200}%>"
    r"|\{%.{0,200}%\}|%[sdr]|%\([A-Za-z0-9_]{1,64}\)[sd]|%\{[^}]{0,100}\}|%[A-Za-z]"
    r"|[*]{2,}|[x]{3,}|[.]{2,}|[-_?#=~+]{1,}|\u2022+|[*x.]{3,4}\S{0,4}"
    r"|null|none|nil|undefined|true|false|yes|no|on|off|n/?a|na|empty|unset|not[ _-]?set|set"
    r"|default|optional|required|string|str|int|bool|boolean|bytes|object|any|\d{1,3}"
    r"|redacted|hidden|masked|censored|removed|omitted|sensitive|encrypted|filtered|value_specified_in_no_log_parameter"
    r"|env|vault|prompt|ask|auto|generate|generated|random|file|stdin|from_?env|lookup"
    r")"
)
_BRACKETED = r"(?:<([^<>]{0,100})>|\{([\w.:!\- ]{0,64})\}|\[([\w.\- ]{0,64})\]|\(([\w.\- ]{0,64})\)|%([A-Za-z_]\w{0,64})%|@(\w{1,64})@)"
# A name of a variable, in one of the three common ways to write one.
_VARIABLE = (
    r"_{0,2}(?:[A-Z]{1,24}[0-9]{0,2}(?:_[A-Z0-9]{1,24}){0,8}|[a-z]{1,24}[0-9]{0,2}(?:_[a-z0-9]{1,24}){0,8}"
    r"|[A-Za-z]?[a-z]{0,24}(?:[A-Z][a-z]{1,24}){1,8}[0-9]{0,2})"
)
_DOLLAR = rf"\$({_VARIABLE})(?:/[\w./#-]{{0,200}})?"
_OBJECT = r"(?:os|process|self|this|request|req|args|config|settings|options|opts|params|ctx|env|var|vars|local|data|module|secrets|credentials)[.\[]"
# The tags of YAML that fetch or decrypt a value: of Ansible, CloudFormation, Home Assistant, Authentik, Symfony and others.
_TAG = (
    r"!(?i:vault|unsafe|vault-encrypted|env(?:_var|ironment)?|secret|ref|sub|getatt|importvalue|join|select|split|findinmap|base64|cidr|if|transform|condition"
    r"|getazs|reference|include\w{0,24}|lookup|ssm|file|sops|decrypt|encrypted/[\w-]{1,24}|var|find|context|keyof|format|input|terraform|yamlref)"
    r"(?:[\s.:|>\[{].{0,300})?"
)
_ENCRYPTED = r"ENC\[[A-Z0-9_-]{2,20},"
# Values that people write into samples. They are masked, since some are in use, yet nobody is accused of having leaked one.
_SAMPLE = (
    r"(?i:.{0,20}change[-_ ]?(?:me|it|this).{0,20}|(?:your|my|the|some|an?)[-_ ].{0,60}"
    r"|.{0,20}(?:example|sample|placeholder|dummy|foobar|replace|insert|todo|fixme|not[-_]a[-_]real).{0,40}"
    r"|(?:super)?secret|password\d{0,3}|passwd|token|test|testing|admin|root|user|foo|bar|baz|abc\d{0,6}|1234\d{0,6}|letmein)"
)
_PROSE = frozenset(
    "required invalid incorrect wrong expired missing changed reset empty unknown failed failure ok okay accepted rejected denied refused "
    "authentication authenticated and or for the is was are must should cannot can not no yes none with from to of in on at by this that a an "
    "your my it enter please success successful successfully valid verified updated deleted removed created needed given provided found expected "
    "unexpected end eof error warning if when will may has have had does do did see use using used password passwd token secret key files compat "
    "sss ldap nis systemd permit prohibit without optional sufficient requisite include identifier string number operator keyword symbol text "
    "file basic bearer digest disabled enabled locked unlocked generated stored saved rotated revoked refreshed issued granted user username "
    "login self type function return".split()
)
# What is said of a secret in a value of its own, as in the answer of a form.
_STATES = frozenset(
    "required invalid incorrect wrong expired missing changed unchanged reset empty unknown failed ok accepted rejected denied refused valid verified "
    "updated deleted created needed given provided found expected unexpected error warning disabled enabled locked unlocked generated stored saved rotated "
    "revoked refreshed issued granted identifier string number operator keyword symbol text basic bearer digest password passwd token secret key".split()
)
_COMPLAINT = (
    r"(?i:(?:(?:the|this|your) )?(?:(?:field|value|password|passphrase|it) )?"
    r"(?:is|was|are|has|must|should|may|can(?:not|'t| not)|does|do|did|please|enter|no|not|too)\b.{0,120}"
    r"\b(?:required|invalid|incorrect|wrong|expired|missing|empty|blank|match|short|long|weak|common|simple|numeric|characters"
    r"|changed|set|password|used|leaked|compromised|different|same|again|given|found|valid)[.!]?)"
)
_FILE = (
    r"(?:~|\.{1,2})?(?:/[\w.@+-]{1,100}){1,20}/?|[A-Za-z]:\\.{1,200}"
    r"|[\w-]{1,64}\.(?:pem|key|crt|cer|txt|json|ya?ml|env|conf|ini|toml|py|js|sh|so|gpg|asc|service|path)"
)
_ADDRESS = r"(?i:[a-z][a-z0-9+.-]{1,20}://[^\s@]{1,500}|arn:aws[a-z-]{0,10}:.{1,300}|(?:vault|op|ssm|awssm|gcpsm|secret|keyring|ref):.{1,300})"
_WORDS = r"[A-Za-z]{1,40}(?:[-_. /:|][A-Za-z]{1,40}){0,12}"
# Words and short numbers with dashes between them: a name, not a random text.
_IDENTIFIER = r"(?:[A-Z]?[a-z]{2,24}|[A-Z]{2,24}|v?[0-9]{1,4})(?:[-_./:](?:[A-Z]?[a-z]{1,24}|[A-Z]{1,24}|v?[0-9]{1,4}|[a-z]{2,16}[0-9]{1,2})){1,12}"
_UUID = r"(?i:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})"


def matches(expression: str, value: str) -> bool:
    """Whether the whole of *value* is of the form *expression*."""
    return compiled(expression, re.DOTALL).fullmatch(value) is not None


def _no_more_than_words(value: str) -> bool:
    """Whether *value* is a reference that a program resolves, or words in brackets: no secret is written like that."""
    if value[0] == "$":
        return matches(_DOLLAR, value)
    if value[0] == "!":
        return matches(_TAG, value)
    held = compiled(_BRACKETED, re.DOTALL).fullmatch(value) if value[0] in "<{[(%@" else None
    if held is not None:
        return strength(held[held.lastindex or 0]) < 2
    if compiled(_OBJECT).match(value):
        return all(not part or part.isdigit() or matches(_VARIABLE, part) for part in compiled(r"[.\[\]'\"()]").split(value))
    return False


def is_placeholder(value: str) -> bool:
    """Whether *value* only stands for a secret that is elsewhere, or says that there is none. A marker is such a value."""
    bare = compiled(r"\[redacted:[a-z_]{1,40}(?::[0-9a-f]{4})?\]").sub("", value).strip(" \t\"'`\\,;") if "[" in value else value.strip()
    if not bare or compiled(_ENCRYPTED).match(bare):
        return True
    return len(bare) <= 300 and (matches(_PLACEHOLDER, bare) or _no_more_than_words(bare))


def _entropy(value: str) -> float:
    shares = [value.count(letter) / len(value) for letter in set(value)]
    return -sum(share * math.log2(share) for share in shares)


def _kinds_of_letters(value: str) -> int:
    """How many of small letters, capitals, digits and others are in *value*."""
    small, capitals, digits = sum(map(str.islower, value)), sum(map(str.isupper, value)), sum(map(str.isdigit, value))
    return bool(small) + bool(capitals) + bool(digits) + (small + capitals + digits < len(value))


def strength(value: str) -> int:
    """How much *value* looks like a secret: 0 a word or a name, 1 maybe, 2 surely (mixed or random)."""
    # The beginning tells enough.
    value = value[:128]
    if len(value) < 6 or matches(_WORDS, value):
        # Letters alone may be random too: many changes of case, or no vowel in a long run.
        changes = sum(one.islower() != other.islower() for one, other in zip(value, value[1:]))
        return 2 if len(value) >= 16 and value.isalpha() and changes >= len(value) // 3 else 0
    if matches(_IDENTIFIER, value) or matches(_FILE, value) or matches(_ADDRESS, value):
        return 0
    kinds, has_digit = _kinds_of_letters(value), any(map(str.isdigit, value))
    if any(map(str.isspace, value)):
        return 1 if kinds >= 3 and has_digit else 0
    if value.isdigit():
        return 1 if len(value) >= 8 else 0
    if len(value) >= 8 and has_digit and (kinds >= 3 or (len(value) >= 12 and _entropy(value) >= 2.8)):
        return 2
    if len(value) >= 20 and _entropy(value) >= 3.8 and kinds >= 2:
        return 2
    return 1


def _prose(value: str, quoted: bool) -> bool:
    """Whether *value* speaks of a secret. In quotes, or as a value of its own, it does only as a state or as a complaint: a passphrase is words, too."""
    if quoted:
        return value.strip(".!").lower() in _STATES or matches(_COMPLAINT, value)
    words = [word.strip(".,:;!?()'\"").lower() for word in value.split()]
    return any(word in _PROSE for word in words)


def judge(name: str, value: str, quoted: bool, plain: bool) -> tuple[str, bool] | None:
    """What the *value* behind *name* is: (kind, whether a change that adds it is to be refused), or ``None`` when it is no secret.

    :arg quoted: The value stands in quotes, or is a value of its own.
    :arg plain: It is an assignment and nothing else: ``=``, or the only thing on its line.
    """
    found = name_class(name)
    if found is None or is_placeholder(value):
        return None
    kind, sure = found
    power = strength(value)
    if kind == PASSWORD:
        if matches(_FILE, value) and value.count("/") != 1 and power < 2:
            return None
        # Some do use such a word; and in code it is another variable's name.
        weak = value.lower() in ("secret", "password", "passwd", "token", "key") and (quoted or plain) and value.lower() not in name.lower()
        code = sure and len(value) >= 4 and value.isdigit()
        if power == 0 and not weak and (_prose(value, quoted) or (value.isdigit() and not code) or not (quoted or plain)):
            return None
        if any(map(str.isspace, value)) and _prose(value, quoted):
            return None
        taken = power == 2 or (sure and (power == 1 or quoted or plain))
    elif kind == SECRET:
        word = power == 0 and not value.isdigit() and len(value) >= 8 and matches(r"[A-Za-z]+", value) and not _prose(value, False)
        taken = power == 2 or (sure and ((power == 1 and len(value) >= 6) or (word and (quoted or plain))))
    elif kind == TOKEN:
        taken = power == 2 or (sure and power == 1 and len(value) >= 8 and (quoted or plain))
    else:
        taken = (power == 2 and len(value) >= 12) or (sure and power >= 1 and len(value) >= 8 and (quoted or plain))
    if not taken or (kind != PASSWORD and matches(_ADDRESS, value)):
        return None
    certain = power == 2 and sure and not matches(_SAMPLE, value) and not (kind != PASSWORD and matches(_UUID, value) and kind != KEY)
    return _exact(name, value, kind), certain


def _exact(name: str, value: str, kind: str) -> str:
    lower = name.lower()
    if kind in (KEY, SECRET) and "aws" in lower and len(value) == 40:
        return "aws_secret_key"
    if kind == KEY and len(value) in (44, 88) and value.endswith("=") and ("account" in lower or "shared" in lower):
        return "azure_key"
    return {PASSWORD: "password", SECRET: "secret", TOKEN: "token", KEY: "key"}[kind]
