package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gatehouse-go/gatehouse/storage/memory"
	"github.com/gatehouse-go/gatehouse/thinkingdata"
	"github.com/gatehouse-go/gatehouse/thinkingdata/rest"
)

func Example() {
	ctx := context.Background()
	sys, err := thinkingdata.New(memory.New(memory.Config{}), thinkingdata.Config{Hasher: thinkingdata.PBKDF2{Iterations: 1000}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sys.Close()
	sys.CreateProject(ctx, "game")
	sys.SetCorporateToken(ctx, "secret")
	open, err := rest.New(sys, rest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/open/", http.StripPrefix("/open", open))

	body := `{"authUsers":[{"loginName":"ann","roles":[{"projectId":1,"roleDesc":"analyst"}]}]}`
	for _, call := range []string{
		"POST /open/batch-create-auth-user-and-set-roles?token=secret",
		"POST /open/member-lock?token=secret&loginName=ann",
		"GET /open/get-auth-user-status?token=secret&loginName=ann",
		"GET /open/get-auth-user-status?loginName=ann",
	} {
		method, target, _ := strings.Cut(call, " ")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(method, target, strings.NewReader(body)))
		fmt.Println(w.Body)
	}
	// Output:
	// {"return_code":0,"return_message":"success"}
	// {"return_code":0,"return_message":"success","data":true}
	// {"return_code":0,"return_message":"success","data":{"accountStatus":"LOCK","loginName":"ann"}}
	// {"return_code":-1008,"return_message":"The parameter (token) is empty"}
}
