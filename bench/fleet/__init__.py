"""What a fleet loses while everything in it fails, in network namespaces of its own: see :mod:`bench.fleet.__main__`.

machines are namespaces on a bridge; database and server are what runs on two kinds of them; systems are what is loaded;
load asks the API and acts, faults breaks things, verdict says what was broken by that.
"""
