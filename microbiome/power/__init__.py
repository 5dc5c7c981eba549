"""How many patients a trial needs: power against n by simulation, for a stated effect, design and depth.

Rooms: :mod:`simulated` (the power of a simulated design), :mod:`pilot` (from one's own rates), :mod:`needed` (patients
for a power), :mod:`trials` (one trial, one p-value), :mod:`parameters` (of the command line), :mod:`tables`.
"""
