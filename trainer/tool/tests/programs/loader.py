"""`loader.py ARCHIVE RECORDS SHAPE KIND`: asks an unpacked archive, as gasbench's public loader does, about a file of
records, and prints a probability of class synthetic for each. Nothing of dfr is used here, and of libraries only
torch, numpy and safetensors."""

import importlib.util
import pathlib
import sys
import tempfile
import zipfile

import numpy
import safetensors.torch
import torch

BATCH = {3: 32, 4: 4, 1: 16}
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


class NothingElse:
    """What a submission may count on."""

    known = sys.stdlib_module_names | {name.partition(".")[0] for name in sys.modules}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in self.known:
            raise ImportError(f"{name} is not installed")


# gasbench reads configurations by it; a submission cannot count on it.
import yaml


def main():
    archive, records, shape, kind = sys.argv[1:]
    shape = [int(size) for size in shape.split(",")]
    folder = pathlib.Path(tempfile.mkdtemp())
    zipfile.ZipFile(archive).extractall(folder)
    config = yaml.safe_load((folder / "model_config.yaml").read_text())
    sizes = config["preprocessing"]
    declared = {3: lambda: [3, *sizes["resize"]], 4: lambda: [sizes["num_frames"], 3, *sizes["resize"]],
                1: lambda: [int(sizes["sample_rate"] * sizes["duration_seconds"])]}[len(shape)]()
    assert declared == shape, f"the configuration declares {declared}, the records are {shape}"

    spec = importlib.util.spec_from_file_location("custom_model", folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["custom_model"] = module
    sys.meta_path.insert(0, NothingElse())
    spec.loader.exec_module(module)
    arguments = dict(config["model"])
    model = module.load_model(str(folder / arguments.pop("weights_file")), **arguments)
    assert isinstance(model, torch.nn.Module)
    model = model.to("cpu", DTYPES[config.get("dtype", "float32")]).eval()

    inputs = numpy.fromfile(records, dtype=kind).reshape([-1, *shape])
    if kind == "int16":
        inputs = inputs.astype("float32") / 32768
    for at in range(0, len(inputs), BATCH[len(shape)]):
        with torch.no_grad():
            logits = model(torch.from_numpy(inputs[at:at + BATCH[len(shape)]])).float().numpy()
        assert logits.ndim == 2 and logits.shape[1] == 2, logits.shape
        exponents = numpy.exp(logits.astype("float64") - logits.max(1, keepdims=True))
        print(*(exponents[:, 1] / exponents.sum(1)).tolist(), sep="\n")


main()
