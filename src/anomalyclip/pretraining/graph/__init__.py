"""The embedded model's vision tower as an ONNX graph; its weights stay in ``model.safetensors``, stored once."""
