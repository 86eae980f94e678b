"""playment-agent: a dropped image, or folder of frames, becomes exactly one annotation job at Playment."""

__version__ = "0.1.0"
