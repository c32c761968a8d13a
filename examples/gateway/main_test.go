package main

func Example() {
	main()
	// Output:
	// Nine calls:
	//   200 OK [blue at /o/4711] [remain:7,limit:8,time:1 minute] []
	//   200 OK [blue at /o/4711] [remain:6,limit:8,time:1 minute] []
	//   200 OK [green at /o/4711] [remain:5,limit:8,time:1 minute] []
	//   200 OK [blue at /o/4711] [remain:4,limit:8,time:1 minute] []
	//   200 OK [blue at /o/4711] [remain:3,limit:8,time:1 minute] []
	//   200 OK [blue at /o/4711] [remain:2,limit:8,time:1 minute] []
	//   200 OK [green at /o/4711] [remain:1,limit:8,time:1 minute] []
	//   200 OK [blue at /o/4711] [remain:0,limit:8,time:1 minute] []
	//   429 Too Many Requests [] [remain:0,limit:8,time:1 minute] [60]
	// A minute later, and from a barred address:
	//   200 OK [blue at /o/4711] [remain:7,limit:8,time:1 minute] []
	//   403 Forbidden [] [] []
}
