"""What can go wrong with a source, by what follows from it.

SourceError                  one repository's data is missing or incomplete; the others go on
    NotFound                 404, 410: gone, renamed away, or not for this token
    Forbidden                403: the token may not see this
    Blocked                  451: the provider has taken it down
    Unavailable              still failing after all retries
    BadAnswer                an answer that cannot be understood
Unauthorized                 401: nothing can be collected with this token
"""

from __future__ import annotations

from metrics_assets.errors import MetricsError


class SourceError(MetricsError):
    """A source could not give what it was asked for; the text says what, where and what it answered."""


class NotFound(SourceError):
    """What was asked for does not exist, or not for this token."""


class Forbidden(SourceError):
    """The token may not see what was asked for."""


class Blocked(SourceError):
    """The provider has blocked access for legal reasons."""


class Unavailable(SourceError):
    """The source kept failing; asking again later may help."""


class BadAnswer(SourceError):
    """The source answered something that is not what its documentation says."""


class Unauthorized(MetricsError):
    """The token was refused."""
