"""Insights: sentences that follow from the figures, each with what it stands on.

A module looks at one kind of figures and returns `wording.Insight`s. Where it tests something it tests every subject,
corrects for how many it tested, and says nothing of what does not survive.
"""
