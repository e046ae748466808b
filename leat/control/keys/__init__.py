"""The key tree, and what is encrypted with it.

::

    provider (file, environment, keyring, AWS KMS, Vault)
       key-encryption key --wraps--> data keys, one for each purpose --encrypt--> secrets, columns, files
                                       that of personal data --wraps--> keys of people --encrypt--> columns

``tree`` gives data keys, ``people`` those of people; ``provider``, ``kek_places`` (where leat reads the key),
``aws_kms`` and ``vault`` wrap them;
``ciphertext`` is the form of an encrypted value, ``rotation`` replaces keys, ``locks`` are held meanwhile, ``problem``
is what goes wrong. https://csrc.nist.gov/pubs/sp/800/57/pt1/r5/final calls this a key hierarchy.
"""
