"""Pages a second of two Python programs, as JSON. Arguments: files with HTML."""

import json
import logging
import sys
import time

from markdownify import markdownify
from readability import Document
from trafilatura import extract

logging.disable(logging.CRITICAL)


def trafilatura(html):
    return extract(
        html,
        output_format="markdown",
        include_images=True,
        include_links=True,
        include_tables=True,
        with_metadata=True,
    )


def readability_markdownify(html):
    try:
        text = html.decode("utf-8")
    except UnicodeDecodeError:
        text = html.decode("latin-1")
    return markdownify(Document(text).summary())


pages = []
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        pages.append(file.read())

rates = {}
for convert in (trafilatura, readability_markdownify):
    started = time.process_time()
    for page in pages:
        try:
            convert(page)
        except Exception:  # What it cannot read has cost its time all the same.
            pass
    rates[convert.__name__] = len(pages) / (time.process_time() - started)
print(json.dumps(rates))
