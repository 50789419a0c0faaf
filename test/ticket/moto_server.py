"""moto's server, whose writes to S3 come one after the other: S3 promises that of two conditional writes to one key one is
refused, and moto looks at the condition and then writes, with other requests between the two. Arguments: moto_server's."""

import sys
import threading

from moto.s3.responses import S3Response
from moto.server import main

writing = threading.RLock()


def one_at_a_time(method):
    whole = getattr(S3Response, method)

    def alone(self, *arguments, **named):
        with writing:
            return whole(self, *arguments, **named)

    setattr(S3Response, method, alone)


one_at_a_time("put_object")
one_at_a_time("_key_response_post")
sys.exit(main())
