"""Models in ONNX for tests."""

from pathlib import Path

WORDS = {"[PAD]": 0, "cat": 1, "dog": 2, "sea": 3}


def small_model(folder: Path, input_name: str = "input_ids") -> Path:
    """A model whose token number n has the vector [n, 0, 0, 1], and its tokenizer."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from tokenizers import Tokenizer, models, pre_tokenizers

    vectors = np.array([[number, 0, 0, 1] for number in WORDS.values()], np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gather", ["vectors", input_name], ["last_hidden_state"])],
        "words",
        [helper.make_tensor_value_info(input_name, TensorProto.INT64, ["batch", "tokens"])],
        [
            helper.make_tensor_value_info(
                "last_hidden_state", TensorProto.FLOAT, ["batch", "tokens", 4]
            )
        ],
        [numpy_helper.from_array(vectors, "vectors")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    folder.mkdir(exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    tokenizer = Tokenizer(models.WordLevel(WORDS, unk_token="[PAD]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
