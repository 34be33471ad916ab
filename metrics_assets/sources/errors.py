"""What can go wrong with a source, by what follows from it (requirement S3-23: each class has one strategy).

    class          when                                           strategy
    Unauthorized   401: no token is accepted                       stop: nothing can be collected
    NotFound       404, 410: gone, or not for this token           mark the repository or package, go on
    Forbidden      403: the token may not see this                 say which permission is missing, go on
    Blocked        451: the provider has taken it down             mark it, keep its history, go on
    Empty          409: there is nothing in it yet                 nothing to collect, which is complete
    NotReady       202: the provider is still computing            ask a few times more, then say so
    TooHeavy       502, 504, GraphQL timeouts and resource limits  ask for a smaller page
    RateLimited    403, 429, GraphQL: a limit is used up           wait as long as the answer says
    Unavailable    5xx, dropped connections, truncated answers     try again with growing pauses; break the circuit
    BadAnswer      an answer that cannot be understood             never again the same; report it with its place

All but the first leave one repository's (or package's) data incomplete and are SourceErrors.
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


class Empty(SourceError):
    """There is nothing in it yet."""


class Unavailable(SourceError):
    """The source kept failing; asking again later may help."""


class NotReady(Unavailable):
    """The source is still computing the answer."""


class TooHeavy(Unavailable):
    """The source could not answer in time; a smaller page may help."""


class RateLimited(Unavailable):
    """The source allows no more for now, and kept saying so."""


class BadAnswer(SourceError):
    """The source answered something that is not what its documentation says."""


class Unauthorized(MetricsError):
    """The token was refused."""
