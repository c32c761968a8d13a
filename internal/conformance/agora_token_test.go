package conformance

import (
	"errors"
	"testing"
	"time"

	"github.com/AgoraIO-Community/go-tokenbuilder/accesstoken"
	"github.com/AgoraIO-Community/go-tokenbuilder/rtctokenbuilder"

	"github.com/gatehouse-go/gatehouse/agora/token"
)

// The vendor community's Go builder makes 006 tokens with the time of the
// machine and a random salt, so these are new at every run.
func TestAgoraTokensOfTheCommunityBuilder(t *testing.T) {
	const (
		appID = "970CA35de60c44645bbae8a215061b33"
		cert  = "5CFd2fd1755d40ecb72977518be15d3b"
		other = "0123456789abcdef0123456789abcdef"
	)
	now := time.Now()
	end := now.Add(time.Hour).Truncate(time.Second)
	for _, tt := range []struct {
		name    string
		channel string
		uid     uint32
		role    rtctokenbuilder.Role
		publish error
	}{
		{"attendee", "lobby", 42, rtctokenbuilder.RoleAttendee, nil},
		{"publisher", "a B!#$%&()+-:;<=.>?@[]^_{}|~,9", 4294967295, rtctokenbuilder.RolePublisher, nil},
		{"subscriber", "lobby", 1, rtctokenbuilder.RoleSubscriber, token.ErrPrivilege},
		{"anybody", "lobby", 0, rtctokenbuilder.RoleAdmin, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, err := rtctokenbuilder.BuildTokenWithUID(appID, cert, tt.channel, tt.uid, tt.role, uint32(end.Unix()))
			if err != nil {
				t.Fatal(err)
			}
			check := func(change func(*token.Request), at time.Time, want error) {
				t.Helper()
				r := token.Request{AppID: appID, Certificate: cert, Channel: tt.channel, UID: tt.uid, Privilege: token.JoinChannel}
				if r.UID == 0 {
					r.UID = 7
				}
				change(&r)
				if err := token.Verify(text, r, at); !errors.Is(err, want) {
					t.Errorf("Verify(%+v) = %v, want %v", r, err, want)
				}
			}
			check(func(*token.Request) {}, now, nil)
			check(func(*token.Request) {}, end.Add(-time.Second), nil)
			check(func(*token.Request) {}, end, token.ErrExpired)
			check(func(r *token.Request) { r.Privilege = token.PublishAudio }, now, tt.publish)
			check(func(r *token.Request) { r.Privilege = token.PublishVideo }, now, tt.publish)
			check(func(r *token.Request) { r.Channel = "hall" }, now, token.ErrChannel)
			check(func(r *token.Request) { r.Certificate = other }, now, token.ErrSignature)
			check(func(r *token.Request) { r.AppID = other }, now, token.ErrAppID)
			if tt.uid != 0 {
				check(func(r *token.Request) { r.UID = tt.uid - 1 }, now, token.ErrUser)
			}
		})
	}
}

// What we build, the community's parser reads back.
func TestAgoraTokensReadByTheCommunityParser(t *testing.T) {
	end := time.Unix(1446455471, 0)
	text, err := token.Token{
		Version: token.V006,
		AppID:   "970CA35de60c44645bbae8a215061b33",
		Channel: "lobby", UID: "42", Salt: 9, Expires: end.Add(time.Hour),
		Grants: []token.Grant{{Privilege: token.JoinChannel, Until: end}, {Privilege: token.PublishData}},
	}.Build("5CFd2fd1755d40ecb72977518be15d3b")
	if err != nil {
		t.Fatal(err)
	}
	var got accesstoken.AccessToken
	if !got.FromString(text) {
		t.Fatalf("the parser refused %s", text)
	}
	if got.Salt != 9 || got.Ts != uint32(end.Unix()+3600) || len(got.Message) != 2 ||
		got.Message[accesstoken.KJoinChannel] != uint32(end.Unix()) || got.Message[accesstoken.KPublishDataStream] != 0 {
		t.Errorf("read back as %+v", got)
	}
}
