"""The public register: what anybody may know of approved projects, and nothing else.

Only the application that was approved is read, and of it only the fields that the form calls public.
"""
