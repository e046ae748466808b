"""A system that somebody adds in the browser: a draft of its declaration, tried for real, then saved as a file.

::

    reach.py      which addresses, variables and files a draft may name
    draft.py      drafts, in memory
    trial.py      setup tests, and the first rows of each stream
    save.py       the declaration as YAML, and as a file of the project
"""
