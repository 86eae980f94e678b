from __future__ import annotations

import pytest

from agent.errors import Refused, RemoteError, StoreRefused, TryLater, Unpublished
from agent.publishing.object_errors import classify, no_credentials

TEXT = """Generic S3 error: Error performing PUT https://s3.example/b/a/x.jpg?X-Amz-Signature=sss in 3.2ms - \
Server returned non-2xx status code: {status} Whatever: <?xml version="1.0" encoding="UTF-8"?>
<Error><Code>{code}</Code><Message>Their &#39;words&#39; https://x.example/y?X-Amz-Signature=sss</Message></Error>

Debug source:
Generic {{ inner: Status {{ body: "s3cret" }} }}"""
CUT = """Generic S3 error: Error performing PUT http://127.0.0.1:1/b/k in 225.715\u00b5s - HTTP error: error sending \
request

Debug source:
ConnectError("tcp connect error", Os { code: 111, kind: ConnectionRefused, message: "Connection refused" })"""


@pytest.mark.parametrize(
    ("status", "code", "kind", "says"),
    [
        (404, "NoSuchBucket", StoreRefused, "the bucket is not there"),
        (403, "AccessDenied", StoreRefused, "s3:PutObject"),
        (403, "InvalidAccessKeyId", StoreRefused, "AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", StoreRefused, "AWS_SECRET_ACCESS_KEY"),
        (403, "RequestTimeTooSkewed", StoreRefused, "clock is off"),
        (400, "AuthorizationHeaderMalformed", StoreRefused, "PUBLISH_REGION"),
        (301, "PermanentRedirect", StoreRefused, "PUBLISH_REGION"),
        (400, "ExpiredToken", StoreRefused, "renew"),
        (403, "Unheard", StoreRefused, "refuses the credentials or the bucket"),
        (307, "Unheard", StoreRefused, "refuses the credentials or the bucket"),
        (400, "BadDigest", Unpublished, "damages"),
        (400, "XAmzContentChecksumMismatch", Unpublished, "damages"),
        (503, "SlowDown", Unpublished, "fewer requests"),
        (500, "InternalError", Unpublished, "see whether it is full"),
        (507, "XMinioStorageFull", Unpublished, "full"),
        (507, "Unheard", Unpublished, "full"),
        (409, "ConditionalRequestConflict", Unpublished, "busy"),
        (429, "Unheard", Unpublished, "cannot take the file now"),
        (400, "EntityTooLarge", Refused, "of this size"),
        (400, "KeyTooLongError", Refused, "of this length"),
        (400, "InvalidArgument", Refused, "refuses this file"),
    ],
)
def test_the_store_s_word_becomes_a_sentence_and_a_class(
    status: int, code: str, kind: type[RemoteError], says: str
) -> None:
    error = classify(TEXT.format(status=status, code=code), "b")
    assert type(error) is kind
    assert says in str(error)
    assert error.code == f"store-{code}"
    assert f"(HTTP {status}, {code}, Their 'words' https://x.example/y" in str(error)
    assert "sss" not in str(error)
    assert "s3cret" not in str(error)


def test_a_passing_failure_has_made_no_job() -> None:
    error = classify(TEXT.format(status=500, code="InternalError"), "b")
    assert isinstance(error, TryLater)
    assert error.refused


def test_no_answer_is_passing_and_tells_its_cause() -> None:
    error = classify(CUT, "b")
    assert isinstance(error, TryLater)
    assert str(error) == "the object store of bucket b cannot be reached: Connection refused"
    assert classify("something else", "b").code == "store"


def test_credentials_that_are_nowhere_block() -> None:
    provider = "The operation lacked valid authentication credentials for path External AWS credential provider: "
    error = classify(f"{provider}ValueError: The AWS profile 'x': gone", "b")
    assert isinstance(error, StoreRefused)
    assert str(error) == "no credentials for bucket b: The AWS profile 'x': gone"
    assert "was asked for and not found (Connection refused)" in str(no_credentials(CUT, "b"))
    assert "(HTTP 404)" in str(no_credentials(TEXT.format(status=404, code="x"), "b"))
