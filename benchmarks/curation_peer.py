"""Near-duplicates by datatrove, in an environment of its own: `python curation_peer.py TEXTS FOLDER`.

The same bands as the project's (20 of 6 values over word 5-grams). Words are what stands between white space, which
spares it its own tokenizers (all of spaCy): the generated texts are plain words. It joins what shares a band and
compares nothing, so what it finds is more than what is similar. All stages run one after the other in this process: its
figures are those of one core. Prints one JSON line: seconds by the clock and of CPU, and the rows that stay.
"""

import json
import sys
import time
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.word_tokenizers import WordTokenizer

BANDS, BAND_ROWS, WORDS = 20, 6, 5


class WhiteSpace(WordTokenizer):
    """Words by white space alone."""

    def word_tokenize(self, text: str) -> list[str]:
        """Return the words."""
        return text.split()

    def sent_tokenize(self, text: str) -> list[str]:
        """Return the text: it is not asked for sentences."""
        return [text]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        """Return the text's span."""
        return [(0, len(text))]


def main(texts: str, folder: str) -> None:
    """Run datatrove's four stages one after the other."""
    config = MinhashConfig(n_grams=WORDS, num_buckets=BANDS, hashes_per_bucket=BAND_ROWS)
    signatures, buckets, ids, kept = (f"{folder}/{name}" for name in ("signatures", "buckets", "ids", "kept"))
    sign = MinhashDedupSignature(signatures, config=config, language=WhiteSpace())
    stages = (
        [JsonlReader(texts), sign],
        [MinhashDedupBuckets(signatures, buckets, config=config)],
        [MinhashDedupCluster(buckets, ids, config=config)],
        [JsonlReader(texts), MinhashDedupFilter(ids), JsonlWriter(kept, compression=None)],
    )
    start, cpu = time.perf_counter(), time.process_time()
    for number, pipeline in enumerate(stages):
        tasks = BANDS if number == 1 else 1
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=f"{folder}/logs/{number}").run()
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    stay = sum(1 for file in Path(kept).glob("*.jsonl") for _ in file.open())
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "kept": stay}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
