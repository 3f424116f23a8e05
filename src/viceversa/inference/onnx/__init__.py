"""ONNX: a translator as one file, with all that it needs to know of images inside, and the way back to a Translator.

Needs the extra ``export``.
"""
