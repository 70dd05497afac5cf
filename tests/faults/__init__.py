"""Kills, races, retries and leaving clients, played with real processes: nothing lost, nothing twice, errors named."""
