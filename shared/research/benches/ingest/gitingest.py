"""CPU seconds in which gitingest reads a folder, several times, and the characters it gives, as JSON."""

import json
import sys
import time

sys.path.pop(0)  # This folder, in which the module would find itself.

import gitingest.output_formatter
from gitingest import ingest
from loguru import logger

logger.remove()
# It would fetch the tables of a tokenizer; ours estimates.
gitingest.output_formatter._format_token_count = lambda text: None

seconds = []
for _ in range(5):
    started = time.process_time()
    _, _, content = ingest(sys.argv[1])
    seconds.append(time.process_time() - started)
print(json.dumps({"seconds": seconds, "characters": len(content)}))
