"""A model as data: a list of tensor operations out of an allow-list, with bounds on everything that is read.

No Python, pickle or expression crosses the boundary: arguments are node names, numbers, booleans, null, dtypes and a few
enumerated strings. Reading is pure JSON; only the engine turns the list into torch operations, by a table.
"""
