"""Payments: who paid what and when, what was refunded or disputed, and how it reached the bank.

A driver reads one payment provider into the streams of :mod:`streams`. ``stripe`` reads Stripe's REST API. Amounts are
integers in the minor unit of ISO 4217, with the currency's code in capitals next to them, whatever the provider's own
unit is. An object that changes after it was made, a refund or a dispute above all, is read again for as long as it can
change; a snapshot that comes with a notice of change is never loaded in its place. Every payout is taken apart into the
transactions that it consists of, and what they leave unexplained is a row of its own.
"""
