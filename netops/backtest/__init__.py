"""Backtest: replay past telemetry through the serving pipeline and compare the alerts with the incidents."""
