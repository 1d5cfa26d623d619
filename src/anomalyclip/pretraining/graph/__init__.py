"""The embedded model's vision tower as an ONNX graph without weights: they stay in ``model.safetensors``, stored once."""
