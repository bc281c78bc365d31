# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The published contracts as JSON text. Made from schemas/ by scripts/schemas: do not edit. PRIVATE."""

from __future__ import annotations

SCHEMAS = {
    "report": r"""{
 "$schema": "http://json-schema.org/draft-07/schema#",
 "$id": "https://github.com/day2-codex/day2.codex/schemas/report.schema.json",
 "title": "Report",
 "description": "What the agent says of its work. It is the agent's word: the engine judges the change by itself.",
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
    }
   }
  }
 }
}""",
}
