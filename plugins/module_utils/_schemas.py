# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The published contracts as JSON text. Made from schemas/ by scripts/schemas: do not edit. PRIVATE."""

from __future__ import annotations

SCHEMAS = {
    "delivery": r"""{
 "$schema": "http://json-schema.org/draft-07/schema#",
 "$id": "https://github.com/day2-codex/day2.codex/schemas/delivery.schema.json",
 "title": "Delivery",
 "description": "How people are told of what needs them on a host. Without this file, tickets are written and nothing else.",
 "type": "object",
 "additionalProperties": false,
 "required": [
  "version"
 ],
 "properties": {
  "version": {
   "description": "The version of this form.",
   "type": "integer",
   "minimum": 1,
   "maximum": 1
  },
  "when": {
   "description": "What people are told of. Without it, all three.",
   "type": "array",
   "minItems": 1,
   "maxItems": 3,
   "items": {
    "enum": [
     "needs_human",
     "awaiting_approval",
     "failed"
    ]
   }
  },
  "ticket": {
   "description": "Whether tickets are kept as files. Yes, where it is not given.",
   "type": "boolean"
  },
  "branch": {
   "description": "Whether the change of a plan becomes a branch where its workspace lies in a git repository. No, where it is not given.",
   "type": "boolean"
  },
  "alert": {
   "$ref": "#/definitions/alert"
  }
 },
 "definitions": {
  "span": {
   "description": "Seconds, or such as 90s, 15m, 8h, 7d, 2w.",
   "type": [
    "string",
    "integer"
   ],
   "minimum": 0,
   "maximum": 31536000,
   "pattern": "^[0-9]{1,6}[smhdw]?$"
  },
  "alert": {
   "description": "The one hook that is called. It has either a command or a webhook.",
   "type": "object",
   "additionalProperties": false,
   "properties": {
    "command": {
     "description": "What is run, its program by an absolute path, without a shell. It reads the alert as JSON from standard input.",
     "type": "array",
     "minItems": 1,
     "maxItems": 50,
     "items": {
      "type": "string",
      "minLength": 1,
      "maxLength": 4096,
      "pattern": "^[^\\u0000]*$"
     }
    },
    "webhook": {
     "description": "The address to which the alert is posted: https, or http of this host itself.",
     "type": "string",
     "minLength": 1,
     "maxLength": 2000,
     "pattern": "^https?://[!-~]+$"
    },
    "key_file": {
     "description": "The file with the key by which alerts are signed. /etc/codex-ops/secrets/alert-key where it is not given.",
     "type": "string",
     "maxLength": 4096,
     "pattern": "^/[^\\u0000]+$"
    },
    "ca_file": {
     "description": "The authorities that are trusted for the webhook, as PEM. Without it, the host's own.",
     "type": "string",
     "maxLength": 4096,
     "pattern": "^/[^\\u0000]+$"
    },
    "min_severity": {
     "description": "A ticket is at least so bad. INFO where it is not given. Every ticket is a WARNING at least.",
     "enum": [
      "CRITICAL",
      "WARNING",
      "INFO"
     ]
    },
    "per_hour": {
     "description": "Alerts that are sent within an hour at most, where there are several one of them for what is CRITICAL. 10 where it is not given.",
     "type": "integer",
     "minimum": 1,
     "maximum": 1000
    },
    "repeat_after": {
     "description": "For how long the same is not told again when it happens again, unless it has become worse or was resolved. 24h where it is not given.",
     "$ref": "#/definitions/span"
    },
    "timeout": {
     "description": "Seconds that one call of the hook may take. 10 where it is not given.",
     "type": "integer",
     "minimum": 1,
     "maximum": 60
    }
   }
  }
 }
}""",
    "policy": r"""{
 "$schema": "http://json-schema.org/draft-07/schema#",
 "$id": "https://github.com/day2-codex/day2.codex/schemas/policy.schema.json",
 "title": "Policy",
 "description": "What may become real on a host, and when. What it leaves out takes the built-in default; what is never unattended stays forbidden.",
 "type": "object",
 "additionalProperties": false,
 "required": [
  "version"
 ],
 "properties": {
  "version": {
   "description": "The version of this form.",
   "const": 1
  },
  "categories": {
   "description": "How far each category of work goes without a person. A category that neither this nor the built-in list names is forbidden.",
   "type": "object",
   "maxProperties": 1000,
   "propertyNames": {
    "pattern": "^[a-z][a-z0-9_]{0,63}$"
   },
   "additionalProperties": {
    "type": "object",
    "additionalProperties": false,
    "required": [
     "autonomy"
    ],
    "properties": {
     "autonomy": {
      "description": "At once, after approval, or not at all.",
      "enum": [
       "automatic",
       "approval",
       "forbidden"
      ]
     },
     "approvals": {
      "description": "How many people have to approve. Without it, the built-in number of the category, or 1.",
      "type": "integer",
      "minimum": 1,
      "maximum": 10
     }
    }
   }
  },
  "slices": {
   "description": "The slices, by name, that may do without a person what their category allows. All others get 'ad_hoc'.",
   "type": "object",
   "maxProperties": 10000,
   "propertyNames": {
    "pattern": "^[a-z0-9][a-z0-9._-]{0,79}$"
   },
   "additionalProperties": {
    "type": "object",
    "additionalProperties": false,
    "required": [
     "sha256",
     "workspace"
    ],
    "properties": {
     "sha256": {
      "description": "The digest of the slice, as a plan's 'slice_sha256' says it.",
      "type": "string",
      "pattern": "^[0-9a-f]{64}$"
     },
     "workspace": {
      "description": "The live tree that it may work on, without links on the way.",
      "$ref": "#/definitions/path"
     }
    }
   }
  },
  "ad_hoc": {
   "description": "What a slice gets that is not listed: at least one approval (the default), nothing, or what its category says.",
   "enum": [
    "approval",
    "forbidden",
    "category"
   ]
  },
  "provider": {
   "description": "Whom the engine asks.",
   "type": "object",
   "additionalProperties": false,
   "properties": {
    "base_url": {
     "description": "The only address of the model API that a run may use.",
     "type": "string",
     "pattern": "^https?://[^/@\\s]+(/\\S*)?$",
     "maxLength": 1000
    },
    "api_key_file": {
     "description": "The file with the key.",
     "$ref": "#/definitions/path"
    },
    "proxy": {
     "description": "The HTTP proxy on the way there.",
     "type": "string",
     "pattern": "^http://[^/@\\s]+/?$",
     "maxLength": 1000
    },
    "ca_path": {
     "description": "The authorities that may vouch for it.",
     "$ref": "#/definitions/path"
    },
    "cassettes": {
     "description": "Whether a plan that a cassette made may be applied under the prefix /.",
     "type": "boolean"
    }
   }
  },
  "actions": {
   "description": "The privileged actions, by the name under which a slice lists and the agent proposes them.",
   "type": "object",
   "maxProperties": 1000,
   "propertyNames": {
    "pattern": "^[a-z0-9][a-z0-9._-]{0,79}$"
   },
   "additionalProperties": {
    "type": "object",
    "additionalProperties": false,
    "required": [
     "argv",
     "per_hour"
    ],
    "properties": {
     "argv": {
      "description": "The program, by absolute path, and its arguments. No shell reads it, and nothing is put into it.",
      "type": "array",
      "minItems": 1,
      "maxItems": 200,
      "items": {
       "type": "string",
       "maxLength": 4096
      }
     },
     "per_hour": {
      "description": "How often it may run in any hour.",
      "type": "integer",
      "minimum": 0,
      "maximum": 1000
     },
     "timeout": {
      "description": "Seconds after which it is ended. 60 without it.",
      "type": "integer",
      "minimum": 1,
      "maximum": 3600
     },
     "critical": {
      "description": "Whether what it does always needs a person's approval. True without it.",
      "type": "boolean"
     }
    }
   }
  },
  "cleanup": {
   "description": "Where the category cache_cleanup may delete files without a person.",
   "type": "array",
   "maxItems": 1000,
   "items": {
    "type": "object",
    "additionalProperties": false,
    "required": [
     "path",
     "older_than",
     "max_bytes"
    ],
    "properties": {
     "path": {
      "description": "The folder, without links on the way. Everything below it counts.",
      "$ref": "#/definitions/path"
     },
     "older_than": {
      "description": "How long ago a file must have been written last.",
      "$ref": "#/definitions/duration"
     },
     "max_bytes": {
      "description": "How much one run may delete there: bytes, or a number with K, M, G or T (powers of 1024).",
      "type": [
       "integer",
       "string"
      ],
      "minimum": 0,
      "maximum": 1000000000000000,
      "pattern": "^(0|[1-9][0-9]{0,8})[KMGT]?$"
     }
    }
   }
  },
  "limits": {
   "description": "What all runs on the host may spend together.",
   "type": "object",
   "additionalProperties": false,
   "properties": {
    "tokens_per_day": {
     "description": "Tokens, input and output, in a day (UTC).",
     "type": "integer",
     "minimum": 0,
     "maximum": 1000000000000
    },
    "runs_per_hour": {
     "description": "Runs that ask a model, in any hour.",
     "type": "integer",
     "minimum": 0,
     "maximum": 100000
    }
   }
  },
  "forbidden_paths": {
   "description": "Paths that no slice may touch, beside the built-in ones: files, or folders with all below. Without a leading / they count everywhere.",
   "type": "array",
   "maxItems": 1000,
   "items": {
    "type": "string",
    "minLength": 1,
    "maxLength": 1000
   }
  },
  "people": {
   "description": "Under which names an approver asks for things, so that nobody approves their own request.",
   "type": "object",
   "maxProperties": 10000,
   "propertyNames": {
    "pattern": "^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$"
   },
   "additionalProperties": {
    "type": "array",
    "maxItems": 100,
    "items": {
     "description": "unix:NAME, sudo:NAME, ssh:NAME or awx:NAME, or NAME for any of them.",
     "type": "string",
     "pattern": "^\\S{1,200}$"
    }
   }
  },
  "retention_days": {
   "description": "For how many days what was kept of a run stays at least, whatever a task's retention says.",
   "type": "integer",
   "minimum": 1,
   "maximum": 36500
  },
  "approval": {
   "description": "What every approval has to keep to.",
   "type": "object",
   "additionalProperties": false,
   "properties": {
    "max_age": {
     "description": "How long an approval counts at most, whatever it says itself. 7d without it.",
     "$ref": "#/definitions/duration"
    }
   }
  }
 },
 "definitions": {
  "path": {
   "type": "string",
   "pattern": "^/",
   "minLength": 2,
   "maxLength": 4096
  },
  "duration": {
   "description": "Seconds, or a number with s, m, h, d or w.",
   "type": [
    "integer",
    "string"
   ],
   "minimum": 1,
   "maximum": 1000000000,
   "pattern": "^[1-9][0-9]{0,5}[smhdw]$"
  }
 }
}""",
    "report": r"""{
 "$schema": "http://json-schema.org/draft-07/schema#",
 "$id": "https://github.com/day2-codex/day2.codex/schemas/report.schema.json",
 "title": "Report",
 "description": "What the agent says of its work. It is the agent's word: the engine judges the change by itself. A runbook adds details in its own form.",
 "type": "object",
 "additionalProperties": false,
 "required": [
  "status"
 ],
 "properties": {
  "status": {
   "description": "The agent's own view of the outcome.",
   "enum": [
    "changed",
    "unchanged",
    "ok",
    "warning",
    "critical",
    "unknown",
    "blocked",
    "failed"
   ]
  },
  "summary": {
   "description": "A few sentences for people.",
   "type": "string",
   "maxLength": 10000
  },
  "findings": {
   "description": "What it found, worst first.",
   "type": "array",
   "maxItems": 1000,
   "items": {
    "type": "object",
    "additionalProperties": false,
    "required": [
     "severity",
     "summary"
    ],
    "properties": {
     "id": {
      "description": "Stable name of the finding.",
      "type": "string",
      "maxLength": 200
     },
     "severity": {
      "enum": [
       "CRITICAL",
       "WARNING",
       "INFO"
      ]
     },
     "summary": {
      "description": "The finding in one sentence.",
      "type": "string",
      "maxLength": 2000
     },
     "evidence": {
      "description": "Where it can be seen.",
      "type": "string",
      "maxLength": 10000
     }
    }
   }
  },
  "proposed_actions": {
   "description": "Names of privileged actions that the slice lists.",
   "type": "array",
   "maxItems": 100,
   "items": {
    "type": "string",
    "pattern": "^[a-z0-9][a-z0-9._-]{0,79}$"
   }
  },
  "confidence": {
   "description": "From 0 to 1.",
   "type": "number",
   "minimum": 0,
   "maximum": 1
  },
  "needs_human": {
   "description": "Whether a person should look.",
   "type": "boolean"
  }
 }
}""",
    "rules": r"""{
 "$schema": "http://json-schema.org/draft-07/schema#",
 "$id": "https://github.com/day2-codex/day2.codex/schemas/rules.schema.json",
 "title": "Rules",
 "description": "Which findings of a host become jobs, for which slice, and when: a table that is read from top to bottom.",
 "type": "object",
 "additionalProperties": false,
 "required": [
  "version",
  "rules"
 ],
 "properties": {
  "version": {
   "description": "The version of this form.",
   "type": "integer",
   "minimum": 1,
   "maximum": 1
  },
  "time_zone": {
   "description": "The time zone of quiet hours, such as Europe/Berlin. Without it, the host's own.",
   "type": "string",
   "minLength": 1,
   "maxLength": 100,
   "pattern": "^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,3}$"
  },
  "rules": {
   "description": "A finding goes to the first rule that it fits.",
   "type": "array",
   "maxItems": 500,
   "items": {
    "$ref": "#/definitions/rule"
   }
  }
 },
 "definitions": {
  "span": {
   "description": "Seconds, or such as 90s, 15m, 8h, 7d, 2w.",
   "type": [
    "string",
    "integer"
   ],
   "minimum": 0,
   "maximum": 31536000,
   "pattern": "^[0-9]{1,6}[smhdw]?$"
  },
  "size": {
   "description": "Bytes, or such as 64K.",
   "type": [
    "string",
    "integer"
   ],
   "minimum": 4096,
   "maximum": 262144,
   "pattern": "^[0-9]{1,6}K?$"
  },
  "patterns": {
   "description": "* is any text, ? one character, [abc] one of them.",
   "type": "array",
   "minItems": 1,
   "maxItems": 200,
   "items": {
    "type": "string",
    "minLength": 1,
    "maxLength": 1000
   }
  },
  "clock": {
   "description": "A time of day: hours and minutes.",
   "type": "string",
   "pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
  },
  "quiet": {
   "description": "A time in which no job is made. It may go past midnight.",
   "type": "object",
   "additionalProperties": false,
   "required": [
    "from",
    "to"
   ],
   "properties": {
    "from": {
     "$ref": "#/definitions/clock"
    },
    "to": {
     "$ref": "#/definitions/clock"
    },
    "days": {
     "description": "The days on which it begins. Without it, every day.",
     "type": "array",
     "minItems": 1,
     "maxItems": 7,
     "items": {
      "enum": [
       "mon",
       "tue",
       "wed",
       "thu",
       "fri",
       "sat",
       "sun"
      ]
     }
    }
   }
  },
  "rule": {
   "type": "object",
   "additionalProperties": false,
   "required": [
    "name",
    "signal",
    "slice"
   ],
   "properties": {
    "name": {
     "description": "Its name, which jobs carry.",
     "type": "string",
     "minLength": 1,
     "maxLength": 60,
     "pattern": "^[a-z0-9][a-z0-9._-]*$"
    },
    "signal": {
     "description": "The collector whose signals it is for.",
     "type": "string",
     "maxLength": 80,
     "pattern": "^[a-z0-9][a-z0-9._-]*$"
    },
    "status": {
     "description": "The signal is at least so bad: unknown (anything but ok), warning (the default) or critical.",
     "enum": [
      "unknown",
      "warning",
      "critical"
     ]
    },
    "severity": {
     "description": "A finding is at least so bad. WARNING where it is not given.",
     "enum": [
      "CRITICAL",
      "WARNING",
      "INFO"
     ]
    },
    "findings": {
     "description": "Only findings whose ID fits one of these.",
     "$ref": "#/definitions/patterns"
    },
    "resources": {
     "description": "Only findings about what fits one of these.",
     "$ref": "#/definitions/patterns"
    },
    "quiet": {
     "description": "When no job is made.",
     "type": "array",
     "maxItems": 50,
     "items": {
      "$ref": "#/definitions/quiet"
     }
    },
    "dedupe_window": {
     "description": "For how long a finding that became a job becomes no other one, unless it has become worse. 24h where it is not given.",
     "$ref": "#/definitions/span"
    },
    "slice": {
     "description": "The installed slice that works on it.",
     "type": "string",
     "maxLength": 80,
     "pattern": "^[a-z0-9][a-z0-9._-]*$"
    },
    "priority": {
     "description": "The priority of its jobs.",
     "type": "integer",
     "minimum": -1000,
     "maximum": 1000
    },
    "expires_in": {
     "description": "After what time a job that nobody has worked on is of no use any more.",
     "$ref": "#/definitions/span"
    },
    "max_bytes": {
     "description": "How much of a signal a job holds at most. 24K where it is not given.",
     "$ref": "#/definitions/size"
    }
   }
  }
 }
}""",
    "signal": r"""{
 "$schema": "http://json-schema.org/draft-07/schema#",
 "$id": "https://github.com/day2-codex/day2.codex/schemas/signal.schema.json",
 "title": "Signal",
 "description": "What a script has seen on a host, and what is wrong with it. All text in it is from outside: it may be shown, and never becomes a command.",
 "type": "object",
 "additionalProperties": false,
 "required": [
  "signal",
  "host",
  "collected_at",
  "status",
  "summary",
  "findings"
 ],
 "properties": {
  "signal": {
   "description": "What was looked at, such as disk or certificates.",
   "type": "string",
   "pattern": "^[a-z0-9][a-z0-9._-]{0,79}$"
  },
  "host": {
   "description": "The host that was looked at.",
   "type": "string",
   "minLength": 1,
   "maxLength": 255
  },
  "collected_at": {
   "description": "When: RFC 3339, in UTC.",
   "type": "string",
   "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,6})?(Z|\\+00:00)$"
  },
  "status": {
   "description": "The worst of the findings. unknown: it could not be looked at, and the summary says why.",
   "enum": [
    "ok",
    "warning",
    "critical",
    "unknown"
   ]
  },
  "summary": {
   "description": "A sentence or two for people.",
   "type": "string",
   "maxLength": 2000
  },
  "findings": {
   "description": "What is wrong, worst first.",
   "type": "array",
   "maxItems": 1000,
   "items": {
    "type": "object",
    "additionalProperties": false,
    "required": [
     "id",
     "severity",
     "resource"
    ],
    "properties": {
     "id": {
      "description": "Its name. The same finding has the same name next time: by it, it is known again.",
      "type": "string",
      "minLength": 1,
      "maxLength": 500
     },
     "severity": {
      "enum": [
       "CRITICAL",
       "WARNING",
       "INFO"
      ]
     },
     "resource": {
      "description": "What it is about: a path, a unit, a name.",
      "type": "string",
      "maxLength": 4096
     },
     "expected": {
      "description": "What was expected.",
      "$ref": "#/definitions/value"
     },
     "observed": {
      "description": "What was found.",
      "$ref": "#/definitions/value"
     },
     "detail": {
      "description": "More, such as the lines around it.",
      "type": "string",
      "maxLength": 20000
     }
    }
   }
  },
  "metrics": {
   "description": "What was measured, by name.",
   "type": "object",
   "additionalProperties": {
    "$ref": "#/definitions/value"
   }
  },
  "thresholds": {
   "description": "The limits against which it was held, by name.",
   "type": "object",
   "additionalProperties": {
    "$ref": "#/definitions/value"
   }
  },
  "truncated": {
   "description": "Whether something was left out because it is too much.",
   "type": "boolean"
  }
 },
 "definitions": {
  "value": {
   "anyOf": [
    {
     "type": [
      "number",
      "boolean",
      "null"
     ]
    },
    {
     "type": "string",
     "maxLength": 4096
    },
    {
     "type": "array",
     "maxItems": 1000,
     "items": {
      "type": [
       "string",
       "number",
       "boolean",
       "null"
      ],
      "maxLength": 4096
     }
    }
   ]
  }
 }
}""",
    "slice": r"""{
 "$schema": "http://json-schema.org/draft-07/schema#",
 "$id": "https://github.com/day2-codex/day2.codex/schemas/slice.schema.json",
 "title": "Closed operational slice",
 "description": "The contract of one task: what the agent may change, what it must leave alone, and how anyone can tell that the work is done.",
 "type": "object",
 "additionalProperties": false,
 "required": [
  "name",
  "category",
  "workspace",
  "scope",
  "instructions"
 ],
 "properties": {
  "name": {
   "description": "Name of the slice. Policy, plans and records refer to it.",
   "type": "string",
   "pattern": "^[a-z0-9][a-z0-9._-]{0,79}$"
  },
  "title": {
   "description": "One line for people.",
   "type": "string",
   "minLength": 1,
   "maxLength": 200
  },
  "category": {
   "description": "Kind of work. Host policy maps it to a degree of autonomy.",
   "type": "string",
   "pattern": "^[a-z][a-z0-9_]{0,63}$"
  },
  "workspace": {
   "description": "Absolute path of the live tree on the host.",
   "type": "string",
   "pattern": "^/",
   "minLength": 2,
   "maxLength": 4096
  },
  "scope": {
   "description": "Which files of the workspace the agent gets a copy of. Nothing else is copied, so nothing else is seen.",
   "type": "object",
   "additionalProperties": false,
   "required": [
    "include"
   ],
   "properties": {
    "include": {
     "description": "Patterns relative to the workspace. Two stars cross folders, one does not.",
     "type": "array",
     "minItems": 1,
     "maxItems": 500,
     "items": {
      "$ref": "#/definitions/pattern"
     }
    },
    "exclude": {
     "description": "Patterns that are taken out again.",
     "type": "array",
     "maxItems": 500,
     "items": {
      "$ref": "#/definitions/pattern"
     }
    }
   }
  },
  "instructions": {
   "description": "What the agent is asked to do, in plain words.",
   "type": "string",
   "minLength": 1,
   "maxLength": 20000
  },
  "values": {
   "description": "What is right and what is wrong.",
   "type": "object",
   "additionalProperties": false,
   "properties": {
    "correct": {
     "description": "Values that belong in the workspace.",
     "type": "array",
     "maxItems": 500,
     "items": {
      "type": "object",
      "additionalProperties": false,
      "required": [
       "name",
       "value"
      ],
      "properties": {
       "name": {
        "description": "What the value is.",
        "type": "string",
        "minLength": 1,
        "maxLength": 200
       },
       "value": {
        "$ref": "#/definitions/value"
       }
      }
     }
    },
    "incorrect": {
     "description": "Values that must not be left anywhere in scope.",
     "type": "array",
     "maxItems": 500,
     "items": {
      "type": "object",
      "additionalProperties": false,
      "required": [
       "value"
      ],
      "properties": {
       "value": {
        "$ref": "#/definitions/value"
       },
       "in": {
        "description": "Patterns of the files in which the value is wrong. Without it, it is wrong in every file in scope.",
        "type": "array",
        "minItems": 1,
        "maxItems": 500,
        "items": {
         "$ref": "#/definitions/pattern"
        }
       }
      }
     }
    }
   }
  },
  "do_not_touch": {
   "description": "What stays as it is, even where it is in scope.",
   "type": "object",
   "additionalProperties": false,
   "properties": {
    "values": {
     "description": "Every occurrence of these stays, byte for byte.",
     "type": "array",
     "maxItems": 500,
     "items": {
      "$ref": "#/definitions/value"
     }
    },
    "paths": {
     "description": "Patterns of files that may be read and must not change.",
     "type": "array",
     "maxItems": 500,
     "items": {
      "$ref": "#/definitions/pattern"
     }
    },
    "services": {
     "description": "Services that are none of this task's business. The agent is told so.",
     "type": "array",
     "maxItems": 500,
     "items": {
      "type": "string",
      "minLength": 1,
      "maxLength": 200
     }
    }
   }
  },
  "validation": {
   "description": "How anyone can tell that the work is done: what must work, and what must stay rejected.",
   "type": "object",
   "additionalProperties": false,
   "properties": {
    "must_hold": {
     "description": "Commands that must end with one of their exit codes (0 by default).",
     "type": "array",
     "maxItems": 100,
     "items": {
      "$ref": "#/definitions/check"
     }
    },
    "must_fail": {
     "description": "Commands that must end with one of their exit codes (1 by default). 126, 127, a signal or a timeout is an error.",
     "type": "array",
     "maxItems": 100,
     "items": {
      "$ref": "#/definitions/check"
     }
    }
   }
  },
  "actions": {
   "description": "Names of privileged actions that the agent may propose. Host policy knows what they run.",
   "type": "array",
   "maxItems": 100,
   "items": {
    "type": "string",
    "pattern": "^[a-z0-9][a-z0-9._-]{0,79}$"
   }
  },
  "rollback": {
   "description": "How the change is taken back.",
   "type": "object",
   "additionalProperties": false,
   "required": [
    "strategy"
   ],
   "properties": {
    "strategy": {
     "description": "The files as they were before.",
     "enum": [
      "snapshot"
     ]
    }
   }
  },
  "limits": {
   "description": "Where a run ends, whatever the agent is doing.",
   "type": "object",
   "additionalProperties": false,
   "properties": {
    "timeout": {
     "description": "Seconds for the agent's whole run.",
     "type": "integer",
     "minimum": 1,
     "maximum": 86400
    },
    "tokens": {
     "description": "Tokens, input and output together, for the agent's whole run.",
     "type": "integer",
     "minimum": 1,
     "maximum": 100000000
    },
    "files": {
     "description": "Files that a patch may change.",
     "type": "integer",
     "minimum": 0,
     "maximum": 10000
    },
    "changed_lines": {
     "description": "Lines that a patch may add and remove together.",
     "type": "integer",
     "minimum": 0,
     "maximum": 1000000
    }
   }
  },
  "report_schema": {
   "description": "The form of the agent's final report: the name of a known schema, or a schema in the supported subset.",
   "anyOf": [
    {
     "type": "string",
     "pattern": "^[a-z0-9][a-z0-9._-]{0,79}$"
    },
    {
     "type": "object"
    }
   ]
  }
 },
 "definitions": {
  "pattern": {
   "type": "string",
   "minLength": 1,
   "maxLength": 1000
  },
  "value": {
   "type": "string",
   "minLength": 1,
   "maxLength": 10000
  },
  "check": {
   "type": "object",
   "additionalProperties": false,
   "required": [
    "name",
    "argv"
   ],
   "properties": {
    "name": {
     "description": "What it shows, for people.",
     "type": "string",
     "minLength": 1,
     "maxLength": 200
    },
    "argv": {
     "description": "The program, by absolute path, and its arguments. No shell reads it.",
     "type": "array",
     "minItems": 1,
     "maxItems": 200,
     "items": {
      "type": "string",
      "maxLength": 4096
     }
    },
    "timeout": {
     "description": "Seconds.",
     "type": "integer",
     "minimum": 1,
     "maximum": 3600
    },
    "exit_codes": {
     "description": "The exit codes that count.",
     "type": "array",
     "minItems": 1,
     "maxItems": 50,
     "items": {
      "type": "integer",
      "minimum": 0,
      "maximum": 125
     }
    },
    "after_actions": {
     "description": "Whether it needs the privileged actions. A plan that proposes one is judged without it; it counts before, and afterwards.",
     "type": "boolean"
    }
   }
  }
 }
}""",
}
