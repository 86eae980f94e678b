"""One exchange over HTTP, with limits on its time and its size. I/O."""
