"""transformers' WavLM."""

from transformers import WavLMConfig, WavLMModel

from .entry import Entry
from .speech import CALM, TINY, Speech


def build(**options):
    return Speech(WavLMModel(WavLMConfig(**CALM, **options)), normalize=False)


MODELS = {
    # Long enough for distances beyond those with a bucket of their own.
    "wavlm": Entry(build, (2, 64000), audio=True, parameters=94_580_850),
    "wavlm-tiny": Entry(
        lambda: build(**TINY, num_buckets=16, max_bucket_distance=14), (2, 400), audio=True),
}
