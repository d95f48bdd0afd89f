"""Minimizes an objective over pixels; knows neither networks nor losses."""
