"""Demo data and live traffic.

What the rest of the program calls:
- `demo.serving.serve_demo(settings)`: the command `modeltraces demo`.
- `demo.seeding.seed_history(store, registry, account_id, data_dir, …)`: fill an account, once.
- `demo.traffic.LiveTraffic(url, api_key).run(stop)`: send runs to a running server until `stop` is set.
- `demo.upstream.DemoUpstream(port=…)`: what the demo's callable models lead to.
- `demo.history.generate_history(account_id, now_us, runs=…, days=…, seed=…)`: the runs themselves, in batches.

How it is made, from the words up: `languages` and `phrases` (what is said), `texts` (exchanges composed of them),
`models`, `sources`, `failures` and `incidents` (who, where, when, what goes wrong), `payloads` (the providers' forms),
`making` (one run), `history` (a month of them), `emitting` (as spans and native JSON).
"""
