"""Rules that make feature rows: an Arrow table in, an Arrow table out, no other inputs."""

import pyarrow as pa
import pyarrow.compute as pc

LOW_VISIBILITY_MILES = 3.0  # below this, arrivals and departures are spaced wider apart


def weather(table: pa.Table) -> pa.Table:
    """Return the hourly weather in the units of the model, with flags for what slows an airport."""
    temperature = pc.divide(pc.subtract(table["temp"], 32.0), 1.8)
    return pa.table(
        {
            "origin": table["origin"],
            "observed_at": table["observed_at"],
            "temperature": temperature,  # °C
            "wind_speed": pc.multiply(table["wind_speed"], 1.609344),  # km/h
            "visibility": table["visib"],  # miles
            "rain": table["precip"],  # inches since the hour began
            "humidity": table["humid"],
            "pressure": table["pressure"],
            "low_visibility": pc.less(table["visib"], LOW_VISIBILITY_MILES),
            "freezing": pc.less_equal(temperature, 0.0),
        }
    )
