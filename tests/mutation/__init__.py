"""Mutation testing: would the tests near a module notice a small change of it?"""
