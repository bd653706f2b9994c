"""From feeds to entries: who is in which cells of the declared tables, and with what.

Where the data is, each table of events is one ``GROUP BY customer, keys``, and each feed gives what tables of customers
need in one ``GROUP BY customer``. What needs two feeds at once is put together here, from those results.
"""
