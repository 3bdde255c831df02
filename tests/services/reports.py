"""Delivery reports in the layouts of several mail servers, composed by format: `{to}` is where the report went, `{mid}` the Message-ID."""

from __future__ import annotations

POSTFIX = """\
Return-Path: <>
Delivered-To: {to}
Received: by mx.example.net (Postfix) id 4D1E22C0; Mon,  9 Mar 2026 09:00:05 +0000 (GMT)
Date: Mon,  9 Mar 2026 09:00:05 +0000 (GMT)
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {to}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
	boundary="4D1E22C0.1773046805/mx.example.net"
Content-Transfer-Encoding: 8bit

This is a MIME-encapsulated message.

--4D1E22C0.1773046805/mx.example.net
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.net.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients.

<member1@example.org>: host mail.example.org[192.0.2.7] said: {code} {status}
    <member1@example.org>: {words} (in reply to RCPT TO command)

--4D1E22C0.1773046805/mx.example.net
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
X-Postfix-Queue-ID: 4D1E22C0
X-Postfix-Sender: rfc822; {to}
Arrival-Date: Mon,  9 Mar 2026 09:00:03 +0000 (GMT)

Final-Recipient: rfc822; member1@example.org
Original-Recipient: rfc822;member1@example.org
Action: {action}
Status: {status}
Remote-MTA: dns; mail.example.org
Diagnostic-Code: smtp; {code} {status} <member1@example.org>: {words}

--4D1E22C0.1773046805/mx.example.net
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers
Content-Transfer-Encoding: 8bit

Return-Path: <{to}>
From: Northern Members' Union <ballots@example.org>
To: member1@example.org
Subject: Vote at the 2026 annual general meeting
Message-ID: {mid}

--4D1E22C0.1773046805/mx.example.net--
"""

EXIM = """\
Return-path: <>
Envelope-to: {to}
Received: from Debian-exim by mail.example.net with local (Exim 4.96) id 1tzAbC-000123-45 for {to}; Mon, 09 Mar 2026 09:00:05 +0000
X-Failed-Recipients: member1@example.org
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mail.example.net>
To: {to}
References: {mid}
Content-Type: multipart/report; report-type=delivery-status; boundary=1773046805-eximdsn-12345
MIME-Version: 1.0
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1tzAbC-000123-45@mail.example.net>

--1773046805-eximdsn-12345
Content-type: text/plain; charset=us-ascii

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  member1@example.org
    host mail.example.org [192.0.2.7]
    SMTP error from remote mail server after RCPT TO:<member1@example.org>:
    550 No such user here

--1773046805-eximdsn-12345
Content-type: message/delivery-status

Reporting-MTA: dns; mail.example.net

Action: failed
Final-Recipient: rfc822;member1@example.org
Status: 5.0.0
Remote-MTA: dns; mail.example.org
Diagnostic-Code: smtp; 550 No such user here

--1773046805-eximdsn-12345
Content-type: message/rfc822

Return-path: <{to}>
From: ballots@example.org
To: member1@example.org
Message-ID: {mid}
Subject: Vote

Hello
--1773046805-eximdsn-12345--
"""

OLD_EXIM = """\
Return-path: <>
X-Failed-Recipients: member1@example.org
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mail.example.net>
To: {to}
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  member1@example.org
    retry timeout exceeded

------ This is a copy of the message, including all the headers. ------

Message-ID: {mid}
"""

EXCHANGE = """\
From: "Microsoft Outlook" <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.onmicrosoft.com>
To: <{to}>
Date: Mon, 9 Mar 2026 09:00:05 +0000
Content-Type: multipart/report; report-type=delivery-status;
	boundary="8f51b9f2-90f4-4c5c-9b1b-5d9b6a0c0f55"
X-MS-Exchange-Message-Is-Ndr: true
Content-Language: en-GB
Message-ID: <1c2b6a2e@LO2P123MB0001.GBRP123.PROD.OUTLOOK.COM>
In-Reply-To: {mid}
Subject: Undeliverable: Vote at the 2026 annual general meeting
MIME-Version: 1.0

--8f51b9f2-90f4-4c5c-9b1b-5d9b6a0c0f55
Content-Type: multipart/alternative; differences=Content-Type;
	boundary="a1"

--a1
Content-Type: text/plain; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

Your message to member1@example.org couldn't be delivered.
member1 wasn't found at example.org.

--a1
Content-Type: text/html; charset="us-ascii"

<html><body><b>Your message couldn't be delivered.</b></body></html>
--a1--

--8f51b9f2-90f4-4c5c-9b1b-5d9b6a0c0f55
Content-Type: message/delivery-status

Reporting-MTA: dns;LO2P123MB0001.GBRP123.PROD.OUTLOOK.COM
Received-From-MTA: dns;mx.example.net
Arrival-Date: Mon, 9 Mar 2026 09:00:04 +0000

Final-Recipient: rfc822;member1@example.org
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup

--8f51b9f2-90f4-4c5c-9b1b-5d9b6a0c0f55
Content-Type: message/rfc822

Received: from LO2P123MB0001 by LO2P123MB0002
From: Northern Members' Union <ballots@example.org>
To: "member1@example.org" <member1@example.org>
Message-ID: {mid}
Subject: Vote at the 2026 annual general meeting
Content-Type: multipart/alternative; boundary="inner"

--inner
Content-Type: text/plain

Hello
--inner--
--8f51b9f2-90f4-4c5c-9b1b-5d9b6a0c0f55--
"""

GMAIL = """\
Delivered-To: {to}
Return-Path: <>
From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
To: {to}
Auto-Submitted: auto-replied
Subject: Delivery Status Notification (Failure)
References: {mid}
In-Reply-To: {mid}
X-Failed-Recipients: member1@gmail.example
Message-ID: <69ad1f15.050a0220.1e3c7.0000.GMR@mx.google.com>
Date: Mon, 09 Mar 2026 02:00:05 -0700 (PDT)
Content-Type: multipart/report; boundary="000000000000aa11bb"; report-type=delivery-status

--000000000000aa11bb
Content-Type: multipart/related; boundary="000000000000cc22"

--000000000000cc22
Content-Type: multipart/alternative; boundary="000000000000dd33"

--000000000000dd33
Content-Type: text/plain; charset="UTF-8"

** Message not delivered **

There was a problem delivering your message to member1@gmail.example. See the technical details below.

The response from the remote server was:
552 5.2.2 The email account that you tried to reach is over quota. Please direct the recipient to its help pages.

--000000000000dd33--
--000000000000cc22--

--000000000000aa11bb
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com
Arrival-Date: Mon, 09 Mar 2026 02:00:04 -0700 (PDT)
X-Original-Message-ID: {mid}

Final-Recipient: rfc822; member1@gmail.example
Action: failed
Status: 5.2.2
Remote-MTA: dns; gmail-smtp-in.l.google.example. (192.0.2.26, the server for the domain.)
Diagnostic-Code: smtp; 552-5.2.2 The email account that you tried to reach is over quota.
 552 5.2.2 Please direct the recipient to its help pages.
Last-Attempt-Date: Mon, 09 Mar 2026 02:00:05 -0700 (PDT)

--000000000000aa11bb
Content-Type: message/rfc822

Message-ID: {mid}
From: ballots@example.org
To: member1@gmail.example
Subject: Vote

Hello
--000000000000aa11bb--
"""

QMAIL = """\
Return-Path: <>
Delivered-To: {to}
From: MAILER-DAEMON@old.example.net
To: {to}
Subject: failure notice

Hi. This is the qmail-send program at old.example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<member1@example.org>:
192.0.2.7 does not like recipient.
Remote host said: 550 5.1.1 unknown or illegal alias: member1@example.org
Giving up on 192.0.2.7.

--- Below this line is a copy of the message.

Return-Path: <{to}>
Message-ID: {mid}
"""

COPIED = """\
Your message to member1@example.org couldn't be delivered.

> Reporting-MTA: dns; mx.example.net
> Final-Recipient: rfc822; member1@example.org
> Action: failed
> Status: 5.1.1
> Diagnostic-Code: smtp; 550 5.1.1 user unknown
> Message-ID: {mid}
"""

OUT_OF_OFFICE = """\
From: member1@example.org
To: {to}
Auto-Submitted: auto-replied (vacation)
Subject: Out of office: Vote at the 2026 annual general meeting
In-Reply-To: {mid}

I am away until Monday. Delivery of your parcel failed while I was out.
"""

LETTER = """\
From: member1@example.org
To: ballots@example.org
Subject: How do I vote?
In-Reply-To: {mid}

Hello, my link does not open. Can you help?
"""


def postfix(to: str, mid: str, action: str = "failed", status: str = "5.1.1", code: str = "550", words: str = "User unknown") -> bytes:
    """A report of a Postfix server about member 1."""
    return POSTFIX.format(to=to, mid=mid, action=action, status=status, code=code, words=words).encode()
