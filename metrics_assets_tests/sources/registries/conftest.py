from metrics_assets_tests.sources.registries.asking import fixed_clock

__all__ = ["fixed_clock"]
