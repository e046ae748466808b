"""Version control: what happened in git repositories, read by git itself over HTTP, SSH or from a folder.

Needs ``git`` 2.30 or later on the machine (2.39 to judge merges) and the right to read; nothing is ever pushed. Quirks
of git that shape the driver:

* The tips of branches and tags are the whole truth: new commits are those reachable from new tips and not from old
  ones. Listing the tips costs one request; when none moved, nothing is fetched.
* Commits are immutable. A forced push or a deleted branch is recorded in ``ref_updates`` and the commits stay.
* ``.mailmap`` of the default branch maps identities; when it changes, the commits' mapped names are written again.
* A shallow source has no history behind its boundary: what is there is loaded, the rest when it comes.
"""
