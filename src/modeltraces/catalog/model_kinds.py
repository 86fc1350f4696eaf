"""What kind a model is, told from what its first runs say."""

import re
from typing import Final

from modeltraces.run import ModelKind

SELF_HOSTED_PROVIDERS: Final = frozenset(
    {
        "aphrodite",
        "bentoml",
        "docker_model_runner",
        "exllamav2",
        "gpt4all",
        "hosted_vllm",
        "huggingface_local",
        "huggingface_tgi",
        "infinity",
        "koboldcpp",
        "kserve",
        "lemonade",
        "llama_cpp",
        "llama_cpp_python",
        "llama_cpp_server",
        "llamafile",
        "lmdeploy",
        "lm_studio",
        "local_ai",
        "mlc_llm",
        "mlx",
        "mlx_lm",
        "ollama",
        "ollama_chat",
        "oobabooga",
        "openllm",
        "ray_serve",
        "self_hosted",
        "sglang",
        "tabbyapi",
        "tei",
        "tensorrt_llm",
        "text_embeddings_inference",
        "text_generation_inference",
        "text_generation_webui",
        "tgi",
        "torchserve",
        "triton",
        "triton_inference_server",
        "trt_llm",
        "vllm",
        "xinference",
    }
)
"""Servers that somebody runs for themselves, as emitters and gateways name them (`_` for any separator, or none)."""

_SQUEEZED: Final = frozenset(name.replace("_", "") for name in SELF_HOSTED_PROVIDERS)
_SEPARATORS: Final = re.compile(r"[^a-z0-9]+")
# OpenAI's and Mistral's `ft:base:org::id`, also behind a gateway's `provider/`; Bedrock's custom models.
_FINE_TUNED: Final = re.compile(r"(?:^|/)ft:|:(?:custom-model|custom-model-deployment)/", re.IGNORECASE)


def is_self_hosted(provider: str) -> bool:
    """Whether the provider's name, in whatever spelling (`llama.cpp`, `LM Studio`), is a server one runs oneself."""
    return _SEPARATORS.sub("", provider.lower()) in _SQUEEZED


def infer_kind(name: str, provider: str, *, has_deployment: bool = False, has_connection: bool = False) -> ModelKind:
    """`has_deployment`: a run bore a deployment version, which external models have none of; `has_connection`: one came
    through a connection, which is how those are reached, whatever server is at its end."""
    if has_connection and not has_deployment:
        return "external"
    if _FINE_TUNED.search(name):
        return "fine_tuned"
    if has_deployment or is_self_hosted(provider):
        return "open_source"
    return "external"
