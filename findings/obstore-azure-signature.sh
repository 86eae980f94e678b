#!/usr/bin/env bash
# obstore 0.12.1 gives signed Azure URLs another signature than Microsoft's own library, where a key holds a space.
#
# Part of what is signed is the blob's name. Microsoft's library takes the name itself, obstore the name as it stands in
# the URL, where a space is %20. Both agree for keys of letters, digits and some signs, so that all is well until the
# first "photo (1) copy.jpg": sign() raises nothing, the blob is there, and its URL does not work. (Tried by hand, not
# here: Microsoft's emulator Azurite 3.35.0 answers 403 to such URLs of obstore's, and 200 to Microsoft's.)
#
# Seen with obstore 0.12.1 and azure-storage-blob 12.19.1, both for service version 2023-11-03:
#   frames/0001.jpg   signed as by Microsoft: True   in the URL: frames/0001.jpg
#   a+b,(1)=c.jpg     signed as by Microsoft: True   in the URL: a+b,(1)=c.jpg
#   two words.jpg     signed as by Microsoft: False  in the URL: two%20words.jpg
#   100%.jpg          signed as by Microsoft: False  in the URL: 100%25.jpg
#   no#1.jpg          signed as by Microsoft: False  in the URL: no%231.jpg
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' HUP INT TERM # what runs now ends first, and writes no more into it
python3 -m venv "$place/venv"
# Microsoft's release is the one for the service version that obstore signs for, so that the same fields are signed.
"$place/venv/bin/pip" install --quiet --no-cache-dir obstore==0.12.1 azure-storage-blob==12.19.1

"$place/venv/bin/python" - <<'PYTHON'
import base64
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import obstore
from azure.storage.blob import generate_blob_sas
from obstore.store import AzureStore

KEY = base64.b64encode(b"of no account, made up here".ljust(64)).decode()
store = AzureStore(container_name="container", account_name="account", account_key=KEY)


def fields_of(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


def by_microsoft(name: str, like: dict[str, str]) -> dict[str, str]:
    terms = {"permission": like["sp"], "start": like["st"], "expiry": like["se"]}
    return fields_of(generate_blob_sas("account", "container", name, account_key=KEY, **terms))


alike = []
for name in ("frames/0001.jpg", "a+b,(1)=c.jpg", "two words.jpg", "100%.jpg", "no#1.jpg"):
    url = urlsplit(obstore.sign(store, "GET", name, timedelta(hours=1)))
    in_url, fields = url.path.removeprefix("/container/"), fields_of(url.query)
    if fields == by_microsoft(name, fields):
        alike.append(name)
    print(f"{name:17} signed as by Microsoft: {name in alike!s:5}  in the URL: {in_url}")
    assert fields == by_microsoft(in_url, fields), "changed: what obstore signs"
assert alike == ["frames/0001.jpg", "a+b,(1)=c.jpg"], "changed: which keys get Microsoft's signature"
PYTHON
