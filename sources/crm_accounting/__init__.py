"""CRM and accounting: contacts, companies, leads and deals, and the books with invoices, payments and taxes.

A driver reads one vendor's system (``tryton``: its REST API) into the streams of :mod:`streams`. Amounts are integers
in the currency's minor unit. Records that the system has archived are delivered, and marked. An entry and its lines
are read together, so that debits equal credits whenever they do in the system.
"""
