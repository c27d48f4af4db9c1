"""Asks for captions by youtube-transcript-api, at a stand-in: youtube.py BASE ID...

Prints for each video, as JSON, a list of [language, generated, [[start, text], ...]], or why there is none.
"""

import json
import sys

from requests import Session
from requests.adapters import HTTPAdapter
from youtube_transcript_api import CouldNotRetrieveTranscript, YouTubeTranscriptApi


class ToStandIn(HTTPAdapter):
    """The package asks www.youtube.com, whatever one would like it to."""

    def __init__(self, base):
        super().__init__()
        self.base = base

    def send(self, request, **options):
        request.url = request.url.replace("https://www.youtube.com", self.base, 1)
        return super().send(request, **options)


def captions(api, video):
    try:
        return [
            [
                transcript.language_code,
                transcript.is_generated,
                [[snippet.start, snippet.text] for snippet in transcript.fetch()],
            ]
            for transcript in api.list(video)
        ]
    except CouldNotRetrieveTranscript as refusal:
        return type(refusal).__name__


base, videos = sys.argv[1], sys.argv[2:]
session = Session()
session.mount("https://www.youtube.com/", ToStandIn(base))
api = YouTubeTranscriptApi(http_client=session)
print(json.dumps([captions(api, video) for video in videos]))
