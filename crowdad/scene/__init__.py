"""What is learned of one camera: its model, how it is fitted, and how normal its tubes are."""
