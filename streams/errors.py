"""The errors of the bus: one value for a refused record, one exception tree for everything else.

Rejection            a value: one record refused by one flow; goes to the dead-letter topic, the bus goes on
HaiheError
 ├─ UserError        a person's mistake; the CLI prints it as one sentence and exits with its code
 │   └─ ConfigError  a declaration, setting or schema that is not what it must be
 └─ SystemFailure    broker, disk, registry or bug: nothing is acknowledged, a restart reads again

No message here may carry personal data: say the field, the rule, the topic and the offset, never a value.
"""

from typing import NamedTuple


class Rejection(NamedTuple):
    """Why one record is refused. `step` and `reason` are metric labels and dead-letter headers, so both are short fixed
    words (`decode` / `truncated`); `detail` says which field or byte, and never quotes a value."""

    step: str
    reason: str
    detail: str = ""


class HaiheError(Exception):
    """Root of every exception that haihe raises on purpose."""


class UserError(HaiheError):
    """A mistake that a person can mend: the message is one sentence that says how. `exit_code` is the CLI's."""

    exit_code = 2


class ConfigError(UserError):
    """A file or variable of the configuration is wrong; the message names it, the key and what was meant."""


class SystemFailure(HaiheError):
    """The bus cannot go on as it is. `exit_code` 70: a supervisor restarts the process, which reads again."""

    exit_code = 70
