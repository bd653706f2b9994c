"""From a source's rows to lines that a study may use: columns, times, ids, money, and the rule that applies to each."""
