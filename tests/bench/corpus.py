# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Planted secrets in realistic surroundings, and ordinary logs that hold none. Made at run time from fixed seeds: no secret stands here."""

from __future__ import annotations

import base64
import json
import random
import string
import typing as t
import urllib.parse
import uuid

LETTERS, DIGITS = string.ascii_letters, string.digits
ALNUM, HEX, B64, URL = LETTERS + DIGITS, "0123456789abcdef", LETTERS + DIGITS + "+/", LETTERS + DIGITS + "-_"
UPPER = string.ascii_uppercase + DIGITS


class Case(t.NamedTuple):
    """A text in a file named *name*; *secrets* are the parts of it that must not be seen afterwards."""

    kind: str
    name: str
    text: str
    secrets: tuple[str, ...]


class Dice(random.Random):
    """Random texts of a form."""

    def text(self, length: int, letters: str = ALNUM) -> str:
        """*length* random *letters*."""
        return "".join(self.choices(letters, k=length))

    def mixed(self, length: int, letters: str = ALNUM) -> str:
        """The same, with a small letter, a capital and a digit in it, beginning with a letter."""
        return self.choice(string.ascii_lowercase) + self.choice(string.ascii_uppercase) + self.choice(DIGITS) + self.text(length - 3, letters)

    def jwt(self) -> str:
        """A JSON Web Token."""
        parts = [{"alg": "HS256", "typ": "JWT"}, {"sub": self.text(10, DIGITS), "iat": self.randrange(10**9)}]
        head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        return f"{head}.{body}.{self.text(43, URL)}"

    def pem(self, name: str = "RSA PRIVATE KEY", lines: int = 12) -> str:
        """A private key, or what looks like one."""
        dashes = "-" * 5
        body = "\n".join(self.text(64, B64) for _line in range(lines))
        return f"{dashes}BEGIN {name}{dashes}\n{body}\n{self.text(30, B64)}==\n{dashes}END {name}{dashes}\n"

    def password(self) -> str:
        """A password as people make them up."""
        word = self.choice("hunter winter Sommer dragon Falcon monkey rocket Tiger Berlin coffee orange castle".split())
        return word + self.choice("!_.*+-") + self.text(self.randrange(2, 5), DIGITS) + self.choice("!?xQz")


def tokens(dice: Dice) -> dict[str, str]:
    """One token of each format."""
    d = dice
    return {
        "openai_key": "sk" + "-proj-" + d.mixed(48, URL.replace("-", "")),
        "openai_key (old)": "sk" + "-" + d.mixed(20) + "T3Blbk" + "FJ" + d.text(20),
        "anthropic_key": "sk" + "-ant-api03-" + d.mixed(93, URL),
        "aws_access_key": "AK" + "IA" + d.text(16, UPPER),
        "google_key": "AI" + "za" + d.text(35),
        "google_token": "ya" + "29." + d.mixed(100, URL),
        "google_secret": "GOC" + "SPX-" + d.mixed(28),
        "github_token": "gh" + "p_" + d.text(36),
        "github_token (fine)": "github" + "_pat_" + d.text(22) + "_" + d.text(59),
        "gitlab_token": "gl" + "pat-" + d.mixed(20),
        "slack_token": "xo" + "xb-" + d.text(12, DIGITS) + "-" + d.text(12, DIGITS) + "-" + d.text(24),
        "stripe_key": "sk" + "_live_" + d.text(24),
        "npm_token": "np" + "m_" + d.text(36),
        "pypi_token": "py" + "pi-AgEIcHlwaS5vcmc" + d.text(120, URL),
        "jwt": d.jwt(),
        "vault_token": "hv" + "s." + d.mixed(24),
        "sendgrid_key": "S" + "G." + d.text(22, URL) + "." + d.text(43, URL),
        "digitalocean_token": "dop" + "_v1_" + d.text(64, HEX),
        "huggingface_token": "h" + "f_" + d.text(34, LETTERS),
        "telegram_token": d.text(9, "123456789") + ":A" + "A" + d.text(33),
        "twilio_key": "S" + "K" + d.text(32, HEX),
    }


#: How a token stands in a log, a file, a command or a message.
AROUND = (
    ("app.log", "2025-03-02T10:11:12Z ERROR upstream said 401 for key {}, giving up"),
    (".env", "SERVICE_VALUE={}"),
    ("config.json", '{{"name": "x", "value": "{}", "enabled": true}}'),
    ("run.log", '{{"cmd":"cat .env\\nexport X\\n{}\\nls","exit":0}}'),
    ("main.py", "client = Client('{}')"),
    ("install.sh", "curl -s https://api.example.com/v1/items?k={}"),
)
NAMES = (
    "password", "DB_PASSWORD", "spring.datasource.password", "MYSQL_ROOT_PASSWORD", "userPassword", "passwd", "PGPASSWORD", "smtp_pass",
    "ldap_bind_pwd", "passphrase", "client_secret", "clientSecret", "SECRET_KEY", "app-secret", "webhook_secret", "api_key", "apiKey", "X_API_KEY",
    "access_token", "authToken", "refresh_token", "encryption_key", "private_key", "aws_secret_access_key", "secret_access_key", "AccountKey",
    "SECRET_KEY_BASE", "JWT_SECRET", "db.credentials", "GITLAB_TOKEN",
)  # fmt: skip
#: How an assignment is written.
FORMS = (
    (".env", "{name}={value}"),
    ("profile.sh", "export {name}='{value}'"),
    ("app.ini", "[db]\nhost = localhost\n{name} = {value}\nport = 5432"),
    ("values.yaml", "db:\n  host: localhost\n  {name}: {value}\n  port: 5432"),
    ("values.yaml", 'db:\n  {name}: "{value}"\n'),
    ("config.json", '{{"host": "localhost", "{name}": "{value}", "port": 5432}}'),
    ("app.toml", '{name} = "{value}"'),
    ("config.php", "'{name}' => '{value}',"),
    ("wp-config.php", "define('{name}', '{value}');"),
    ("settings.py", "{name} = '{value}'  # for the staging host"),
    ("index.js", 'const options = {{ host: "h", {name}: "{value}" }};'),
    ("app.log", 'level=error msg="cannot connect" {name}={value} host=db1'),
    ("app.log", '{{"level":"error","body":"{{\\"{name}\\":\\"{value}\\",\\"port\\":1}}"}}'),
    ("access.log", '10.0.0.1 - - "POST /login?user=x&{name}={value}&next=%2F HTTP/1.1" 200 12'),
    ("run.log", "+ deploy --host db1 --{name} {value} --verbose"),
    ("server.xml", "<config><{name}>{value}</{name}></config>"),
)


def _places(dice: Dice) -> t.Iterator[Case]:
    """Secrets that their place gives away."""
    d = dice
    for name, form in (
        ("h.log", "> Authorization: Bearer {}"),
        ("h.log", "authorization: Basic {}"),
        ("h.json", '{{"headers": {{"Authorization": "Bearer {}", "Accept": "*/*"}}}}'),
        ("h.py", "headers={{'Authorization': 'Token {}'}}"),
        ("h.sh", "curl -H 'Authorization: Bearer {}' https://example.com"),
        ("h.log", "Proxy-Authorization: Basic {}"),
        ("h.log", '[("authorization", "Bearer {}"), ("accept", "*/*")]'),
        ("h.log", '{{"body":"{{\\"Authorization\\": \\"Bearer {}\\"}}"}}'),
        ("h.sh", 'curl -H "X-Api-Key: {}" https://example.com'),
        ("h.json", '{{"x-api-key": "{}"}}'),
        ("h.log", "PRIVATE-TOKEN: {}"),
        ("h.log", "Cookie: session={}; theme=dark"),
        ("h.log", "set-cookie: sid={}; Path=/; HttpOnly"),
        ("h.json", '{{"Cookie": "sessionid={}"}}'),
        ("h.log", "sent header bearer {} to upstream"),
    ):
        secret = d.mixed(32)
        yield Case("header", name, form.format(secret), (secret,))
    for name, form in (
        ("u.log", "fetching https://deploy:{}@git.example.com/x.git"),
        ("u.yml", "url: postgres://app:{}@db1:5432/app?sslmode=require"),
        ("u.env", "DATABASE_URL=mysql://root:{}@127.0.0.1/app"),
        ("u.env", "MONGO=mongodb+srv://app:{}@cluster0.example.net/test"),
        ("u.env", "REDIS_URL=redis://:{}@cache:6379/0"),
        ("u.json", '{{"broker": "amqp://guest:{}@rabbit:5672//"}}'),
        ("u.properties", "jdbc.url=jdbc:postgresql://db/app?user=app&password={}&ssl=true"),
        ("u.config", 'connectionString="Server=db;Database=app;User Id=sa;Password={};Encrypt=true"'),
        ("u.log", "proxy http://user:{}@proxy.example.com:3128/ is down"),
        ("u.config", "jdbc:sqlserver://db:1433;databaseName=app;user=sa;password={};"),
        ("u.sh", "curl -u admin:{} https://nexus.example.com/"),
        ("u.sh", "mysqldump -h db -u root -p{} app > app.sql"),
        ("u.log", 'argv: ["mysql", "-uroot", "-p{}", "app"]'),
        ("u.sh", "sshpass -p {} ssh root@h"),
        ("u.sql", "CREATE USER app IDENTIFIED BY '{}';"),
        ("u.sql", "ALTER ROLE app WITH PASSWORD '{}';"),
        (".netrc", "machine h.example.com login bob password {}"),
        ("u.sh", "redis-cli -h cache -a {} ping"),
        ("u.log", 'argv: ["tool", "--password", "{}", "run"]'),
    ):
        secret = d.password().replace("?", "x")
        yield Case("address", name, form.format(secret), (secret,))
    for kind in ("RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "PGP PRIVATE KEY BLOCK"):
        key = d.pem(kind)
        middle = key.splitlines()[3]
        yield Case("private_key", "id", f"before\n{key}after\n", (middle,))
        yield Case("private_key", "k.json", json.dumps({"type": "service_account", "private_key": key}), (middle,))
        yield Case("private_key", "k.log", json.dumps({"out": json.dumps({"private_key": key})}), (middle,))
    key = base64.b64encode(d.pem().encode()).decode()
    yield Case("private_key", "tls.yaml", f"data:\n  tls.key: {key}\n", (key[80:120],))
    hook = "T" + d.text(9, UPPER) + "/B" + d.text(9, UPPER) + "/" + d.text(24)
    for form in ("url: https://hooks.slack.com/services/{}", '{{"hook": "https://hooks.slack.com/services/{}"}}'):
        yield Case("webhook", "w.yml", form.format(hook), (hook,))
    storage = d.text(86, B64) + "=="
    connection = f"CONN=DefaultEndpointsProtocol=https;AccountName=x;AccountKey={storage};EndpointSuffix=core.windows.net"
    yield Case("azure_key", "a.env", connection, (storage,))
    signature = urllib.parse.quote(d.text(43, B64) + "=", safe="")
    yield Case("azure_signature", "a.log", f"GET https://x.blob.core.windows.net/c/b?sv=2021-08-06&se=2025-01-01&sr=b&sp=r&sig={signature}", (signature,))
    login = base64.b64encode(f"bob:{d.password()}".encode()).decode()
    yield Case("docker", "config.json", json.dumps({"auths": {"registry.example.com": {"auth": login}}}), (login,))
    yield Case("shadow", "shadow", f"root:$6${d.text(16)}${(crypt := d.text(86, ALNUM + './'))}:19000:0:99999:7:::", (crypt,))


def cases(seed: int = 1) -> list[Case]:
    """All planted secrets (more than 600)."""
    dice = Dice(seed)
    found = []
    for name, around in AROUND:
        for kind, token in tokens(dice).items():
            found.append(Case(kind, name, around.format(token), (token,)))
    found += _places(dice)
    for number, name in enumerate(NAMES):
        for place, (file, form) in enumerate(FORMS):
            if file == "server.xml" and not name.isidentifier():
                continue
            human = (number + place) % 3 == 0 and any(part in name.lower() for part in ("pass", "pwd"))
            value = dice.password().replace("?", "x") if human else dice.mixed(40 if "aws" in name else dice.choice((20, 24, 32)))
            found.append(Case(f"assignment, {file}", file, form.format(name=name, value=value), (value,)))
    return found


# --- what is ordinary -------------------------------------------------------------------------------------------------

_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
    "curl/8.5.0",
    "kube-probe/1.29",
    "python-requests/2.31.0",
)
_WORDS = (
    "session unit service network token password key secret started stopped failed reading writing queue worker request cache index "
    "authentication for user by the of"
).split()


def _uuid(d: Dice) -> str:
    return str(uuid.UUID(int=d.getrandbits(128)))


def _clock(d: Dice) -> str:
    return f"{d.randrange(24):02}:{d.randrange(60):02}:{d.randrange(60):02}"


def _syslog(d: Dice) -> str:
    address, pid, number = f"10.{d.randrange(256)}.{d.randrange(256)}.{d.randrange(1, 255)}", d.randrange(300, 99999), d.randrange(1024, 65000)
    user = d.choice(("root", "deploy", "bob", "invalid user admin"))
    access = f"kube-api-access-{d.text(5, HEX)}"
    return f"Mar {d.randrange(1, 29):2} {_clock(d)} web{d.randrange(9)} " + d.choice(
        (
            f"sshd[{pid}]: Failed password for {user} from {address} port {number} ssh2",
            f"sshd[{pid}]: Accepted publickey for deploy from {address} port {number} ssh2: ED25519 SHA256:{d.text(43, B64)}",
            f"sshd[{pid}]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={address}  user=root",
            "systemd[1]: Starting systemd-ask-password-console.service - Dispatch Password Requests to Console...",
            f"sudo[{pid}]:   bob : TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/systemctl restart nginx",
            f"CRON[{pid}]: (root) CMD (test -x /usr/sbin/anacron || {{ cd / && run-parts --report /etc/cron.daily; }})",
            f'kernel: [{number}.{pid:06}] audit: type=1400 audit({d.randrange(10**9)}.{pid}): apparmor="DENIED" operation="open" pid={pid}',
            f"passwd[{pid}]: password for 'bob' changed by 'root'",
            f"gpg-agent[{pid}]: gpg-agent (GnuPG) 2.2.40 starting in supervised mode; max_passphrase_days: 0",
            f'kubelet[{pid}]: I0302 reconciler.go:224 operationExecutor.VerifyControllerAttachedVolume started for volume "{access}" '
            f'(UniqueName: "kubernetes.io/projected/{_uuid(d)}-{access}")',
            f"vault[{pid}]: token_ttl=3600 token_policies=[default] secret_name=app-config auth_method: kubernetes key_size: 2048",
        )
    )


def _access(d: Dice) -> str:
    path = d.choice(
        (
            "/",
            f"/api/v1/items/{_uuid(d)}",
            f"/static/app.{d.text(20, HEX)}.js",
            "/login?next=%2Fhome",
            "/oauth/token",
            "/password/reset",
            "/keys?page=2&sort=key",
        )
    )
    answer = f"{d.choice((200, 304, 401, 404))} {d.randrange(99999)}"
    return (
        f"10.{d.randrange(256)}.0.{d.randrange(256)} - - [02/Mar/2025:{_clock(d)} +0000] "
        f'"{d.choice(("GET", "POST"))} {path} HTTP/1.1" {answer} "https://www.example.com/search?q=token+key" "{d.choice(_AGENTS)}"'
    )


def _journal(d: Dice) -> str:
    cursor = ";".join(f"{name}={d.text(length, HEX)}" for name, length in (("s", 32), ("i", 5), ("b", 32), ("m", 9), ("t", 13), ("x", 16)))
    return json.dumps(
        {
            "__CURSOR": cursor, "_BOOT_ID": d.text(32, HEX), "_MACHINE_ID": d.text(32, HEX), "PRIORITY": "6", "_PID": str(d.randrange(99999)),
            "_SYSTEMD_UNIT": "user@1000.service", "_CMDLINE": "/usr/bin/ssh-agent -D -a /run/user/1000/openssh_agent",
            "MESSAGE": " ".join(d.choices(_WORDS, k=9)), "_CAP_EFFECTIVE": "1ffffffffff",
        }
    )  # fmt: skip


def _kubernetes(d: Dice) -> str:
    pod = f"inbox-{d.text(9, '0123456789bcdf')}-{d.text(5, 'bcdfghjklmnpqrstvwxz2456789')}"
    return f"{d.randrange(2, 28)}m " + d.choice(
        (
            f'Normal Pulled pod/{pod} Container image "registry.example.com/inbox@sha256:{d.text(64, HEX)}" already present on machine',
            f'Warning FailedMount pod/{pod} MountVolume.SetUp failed for volume "tls" : secret "inbox-tls-v{d.randrange(9)}" not found',
            f"Warning BackOff pod/{pod} Back-off restarting failed container=app pod={pod}_default({_uuid(d)})",
            f"I0302 {_clock(d)}.{d.randrange(999999):06}       1 token.go:{d.randrange(99)}] serviceaccount token for {pod} refreshed, expires in 3607s",
            f'{{"kind":"Event","auditID":"{_uuid(d)}","verb":"list","requestURI":"/api/v1/namespaces/default/secrets?limit=500","user":'
            f'{{"username":"system:serviceaccount:default:app","uid":"{_uuid(d)}"}},"objectRef":{{"resource":"secrets","name":"app-db"}}}}',
            f"containerd: time=\"2025-03-02T{_clock(d)}Z\" level=info msg=\"StartContainer for \\\"{d.text(64, HEX)}\\\" returns successfully\"",
            f"etcd: revision={d.randrange(10**7)} key=/registry/secrets/default/app-db lease={d.text(16, HEX)}",
        )
    )


def _ansible(d: Dice) -> str:
    host = f"web{d.randrange(9)}"
    return d.choice(
        (
            f"TASK [base : Set the password of {d.choice(_WORDS)}] *****************************",
            f"changed: [{host}] => (item=/etc/app/{d.choice(_WORDS)}.conf)",
            f'ok: [{host}] => {{"changed": false, "checksum": "{d.text(40, HEX)}", "dest": "/etc/app.conf", "mode": "0644", "owner": "root"}}',
            f'ok: [{host}] => {{"ansible_facts": {{"ansible_machine_id": "{d.text(32, HEX)}", "ansible_ssh_host_key_ed25519_public": '
            f'"AAAAC3NzaC1lZDI1NTE5AAAA{d.text(44, B64)}"}}, "changed": false}}',
            f'fatal: [{host}]: FAILED! => {{"censored": "the output has been hidden due to the fact that \'no_log: true\' was specified"}}',
            '    "api_token": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER",',
            f"<{host}> SSH: EXEC ssh -C -o ControlMaster=auto -o KbdInteractiveAuthentication=no -o PasswordAuthentication=no -o ConnectTimeout=10 "
            f"-o 'ControlPath=\"/home/deploy/.ansible/cp/{d.text(10, HEX)}\"' {host} '/bin/sh -c '\"'\"'echo ~deploy && sleep 0'\"'\"''",
            f"{host} : ok={d.randrange(99)} changed={d.randrange(9)} unreachable=0 failed=0 skipped={d.randrange(9)} rescued=0 ignored=0",
        )
    )


def _trace(d: Dice) -> str:
    lines = ["Traceback (most recent call last):"]
    for _frame in range(d.randrange(2, 6)):
        lines += [f'  File "/srv/app/lib/{d.choice(_WORDS)}.py", line {d.randrange(900)}, in {d.choice(_WORDS)}_{d.choice(_WORDS)}']
        right = d.choice(("self.token", "get_password()", 'os.environ["API_KEY"]', "settings.SECRET_KEY", "password"))
        lines += [f"    {d.choice(_WORDS)} = {right}"]
    lines += [
        d.choice(
            (
                "KeyError: 'token'",
                "ValueError: invalid token: expected ',' or '}'",
                "AuthenticationError: password: required",
                "TypeError: key must be str",
            )
        ),
        f"\tat com.example.auth.TokenProvider.resolve(TokenProvider.java:{d.randrange(500)})",
        f"\tat org.app.SecretKeyFactory$1.run(SecretKeyFactory.java:{d.randrange(99)}) ~[app-{d.randrange(9)}.jar!/:{d.text(8, HEX)}]",
    ]
    return "\n".join(lines)


_PLAIN = (
    "password_file: /run/secrets/db", "token_ttl: 3600", "secret_name: app-tls", "api_key: ${API_KEY}", "password: '{{ vault_db_password }}'",
    "PASSWORD=$DB_PASSWORD", "private_key_path: /etc/ssl/private/host.pem", "ssl_certificate_key /etc/nginx/tls.key;",
    "secretKeyRef: {name: app, key: password}", "passwd: files systemd", "auth: basic", "PasswordAuthentication no",
    "AuthorizedKeysFile .ssh/authorized_keys", 'type: "password" autocomplete="current-password"', "key: value", "tokens: 12",
    "Enter your password: ", "token: <none>", "secret: ********", "password=xxxxxxxx", "PASS: test_token_parser_12 (0.01s)",
    "ok 12 - password: rejects an empty one", "Access token: expired", "error: unexpected token: 'else'", "pass: 120, fail: 3",
    "http://[2001:db8::1]:8080/metrics https://example.com:8443/a@2x.png mailto:ops@example.com git@github.com:a/b.git",
)  # fmt: skip


def _misc(d: Dice) -> str:
    word = d.choice(_WORDS)
    return d.choice(
        (
            f"commit {d.text(40, HEX)}",
            f"{d.text(64, HEX)}  packages/{word}-{d.randrange(9)}.{d.randrange(20)}.{d.randrange(9)}.tar.gz",
            f"ii  lib{word}{d.randrange(9)}:amd64  {d.randrange(9)}.{d.randrange(30)}-{d.randrange(9)}+deb12u{d.randrange(5)}  amd64  shared library",
            f'    "integrity": "sha512-{d.text(86, B64)}==",',
            f"requests==2.31.0 --hash=sha256:{d.text(64, HEX)}",
            f"request_id={_uuid(d)} trace_id={d.text(32, HEX)} span_id={d.text(16, HEX)} status=200 max_tokens=4096 input_tokens: {d.randrange(9999)}",
            "public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA" + d.text(43, ALNUM),
            f'<img src="data:image/png;base64,{d.text(400, B64)}">',
            d.choice(_PLAIN),
        )
    )


def _image(d: Dice) -> str:
    return "\n".join(d.text(76, B64) for _line in range(40))


def ordinary(size: int, seed: int = 2) -> str:
    """About *size* characters of logs without a secret."""
    dice = Dice(seed)
    makers = [_syslog] * 40 + [_access] * 30 + [_journal] * 15 + [_kubernetes] * 15 + [_ansible] * 15 + [_trace] * 5 + [_misc] * 25 + [_image]
    pieces, length = [], 0
    while length < size:
        piece = dice.choice(makers)(dice)
        pieces.append(piece)
        length += len(piece) + 1
    return "\n".join(pieces) + "\n"
