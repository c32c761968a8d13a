package main

func Example() {
	main()
	// Output:
	// Everybody may come:
	//   user 7 from 198.51.100.1 to lobby  allowed
	//   user 8 from 203.0.113.9  to lobby  allowed
	//   user 8 from 203.0.113.9  to office allowed
	//
	// Two rules later:
	//   user 7 from 198.51.100.1 to lobby  refused: BANNED_BY_SERVER by rule 1 (uid 7) until 2026-01-02T15:10:00.000Z
	//   user 8 from 203.0.113.9  to lobby  refused: BANNED_BY_SERVER by rule 2 (cname "lobby" ip 203.0.113.9) until 2026-01-02T15:30:00.000Z
	//   user 8 from 203.0.113.9  to office allowed
	//
	// Why may user 8 enter the office?
	//   allowed
	//   rule 1 (uid 7): uid 8 is not 7
	//   rule 2 (cname "lobby" ip 203.0.113.9): cname "office" is not "lobby"
	//
	// Ten minutes later:
	//   user 7 from 198.51.100.1 to lobby  allowed
	//   user 8 from 203.0.113.9  to lobby  refused: BANNED_BY_SERVER by rule 2 (cname "lobby" ip 203.0.113.9) until 2026-01-02T15:30:00.000Z
	//   user 8 from 203.0.113.9  to office allowed
	//
	// What happened:
	//   2026-01-02T15:00:00.000Z project_created
	//   2026-01-02T15:00:00.000Z joined cname "lobby" uid 7 ip 198.51.100.1
	//   2026-01-02T15:00:00.000Z joined cname "lobby" uid 8 ip 203.0.113.9
	//   2026-01-02T15:00:00.000Z joined cname "office" uid 8 ip 203.0.113.9
	//   2026-01-02T15:00:00.000Z rule_created 1 (uid 7)
	//   2026-01-02T15:00:00.000Z kicked cname "lobby" uid 7 ip 198.51.100.1 by rule 1: BANNED_BY_SERVER
	//   2026-01-02T15:00:00.000Z rule_created 2 (cname "lobby" ip 203.0.113.9)
	//   2026-01-02T15:00:00.000Z kicked cname "lobby" uid 8 ip 203.0.113.9 by rule 2: BANNED_BY_SERVER
	//   2026-01-02T15:00:00.000Z kicked cname "office" uid 8 ip 203.0.113.9: same_uid_login
	//   2026-01-02T15:00:00.000Z joined cname "office" uid 8 ip 203.0.113.9
	//   2026-01-02T15:10:00.000Z joined cname "lobby" uid 7 ip 198.51.100.1
	//   2026-01-02T15:10:00.000Z kicked cname "office" uid 8 ip 203.0.113.9: same_uid_login
	//   2026-01-02T15:10:00.000Z joined cname "office" uid 8 ip 203.0.113.9
}
