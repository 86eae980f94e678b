"""The machine: locks, systemd, mounts, limits of inotify, the clock, worker threads, logs. I/O."""
