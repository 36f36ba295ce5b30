"""The relay's WebSockets, `/v1/relay`: one for each half of a connection of a copy's rclone.

    destination's agent              control plane                 source's agent
    opens, with the relay's token ->
                                     OpenHalf(secret)           ->
                                                                <- opens, with that secret
    bytes, and "n"                <-> passed on as they are     <-> bytes, and "n"

The token or secret stands in the Authorization header. Binary frames carry the connection's
bytes. A text frame is a number: so many bytes more have been taken off by whoever reads them.
Nobody has more than `WINDOW` bytes under way that were not taken off, so a slow reader stops
its writer and nothing else: what is not data, such as a ping, is never stuck behind data.

A refusal has the control plane's words as its body, and a status:
    401  the token is not known (any more); ask for the backend again
    503  the source cannot be reached now; try again
    409  it cannot be served, or there are too many
"""

from typing import Final

PATH: Final = "/v1/relay"
WINDOW: Final = 4 * 1024 * 1024  # bytes; at 100 ms from end to end 40 MB/s for one connection
PIECE: Final = 256 * 1024  # bytes in one frame, at most
MAX_PAIRS: Final = 64  # connections of one relay at once; rclone needs some 20

UNKNOWN: Final = 401
REFUSED: Final = 409
NOT_NOW: Final = 503

# How a granted backend of the type `instance` says which way its source is reached.
WAY: Final = "way"
DIRECT: Final = "direct"  # with INSTANCE and SOURCE_PATH: it is on the same machine
RELAY: Final = "relay"  # with TOKEN and NAME
INSTANCE: Final = "instance"  # its label
SOURCE_PATH: Final = "path"
TOKEN: Final = "token"  # noqa: S105 - the word, not one
NAME: Final = "name"  # see `SourceServed`
