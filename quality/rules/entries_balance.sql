/* ---
title: Debits equal credits in every posted entry
description: >-
  The lines of a posted journal entry don't add up to zero, or are in more than one currency, or the entry's own
  totals differ from its lines. leat reads an entry together with its lines, so this isn't an entry that was posted in
  between.
next_step: Look at the entry in the books, and correct it there with a reversing entry.
severity: error
owner: finance
key: [entry_id]
--- */
SELECT
    e.entry_id,
    e.number,
    e.booked_on,
    e.currency,
    COALESCE(CAST(SUM(l.debit) AS BIGINT), 0) AS debit,
    COALESCE(CAST(SUM(l.credit) AS BIGINT), 0) AS credit,
    e.debit AS debit_of_the_entry,
    e.credit AS credit_of_the_entry
FROM crm_accounting.journal_entries AS e
LEFT JOIN crm_accounting.journal_lines AS l ON l.entry_id = e.entry_id AND l._deleted_at IS NULL
WHERE e._deleted_at IS NULL AND e.status = 'posted'
GROUP BY e.entry_id, e.number, e.booked_on, e.currency, e.debit, e.credit
HAVING
    COALESCE(SUM(l.debit), 0) <> COALESCE(SUM(l.credit), 0)
    OR COALESCE(SUM(l.debit), 0) <> e.debit
    OR COALESCE(SUM(l.credit), 0) <> e.credit
    OR COUNT(DISTINCT l.currency) > 1
