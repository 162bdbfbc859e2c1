"""Set phrases of replies, as data: each is a yes/no question to one sentence.

A phrase is no verdict: the model weighs it beside everything else (see `review`). Text is searched
in lower case, which is twice as fast as a search that ignores case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from customer_nlp.text import Rule

__all__ = ["ASKING", "QUESTIONS", "RULES", "THINGS", "TOGETHER"]


_CUSTOMERS: Final = (
    r"(?:customer|client|user|member|guest|passenger|patient|rider|driver|tenant|parent|subscriber|"
    r"owner|administrator|applicant|traveller|student)s?"
)

#: Set phrases of replies, each a yes/no question to a sentence.
RULES: Final[Mapping[str, Rule]] = {
    "terms": Rule(
        r"\b(?:polic(?:y|ies)|terms|t&cs?|conditions|clause|section|article|para(?:graph)?|"
        r"guidelines?|procedure|regulations?|handbook|agreement|wording|rules?)\b"),
    "per_terms": Rule(
        r"\b(?:per|under|see|with|by|to|of|in)\s(?:our|the|your|section|clause|article|para|these)?"
        r"\s?(?:\w+\s){0,3}(?:polic(?:y|ies)|terms|t&cs?|conditions|clause|section|article|"
        r"guidelines?|procedures?|regulations?|handbook|agreement|rules)\b",
        r"\b(?:section|clause|article|para)\s\d"),
    "not_possible": Rule(
        r"\b(?:not\s(?:possible|refundable|eligible|able|permitted|allowed|accepted|covered|valid|"
        r"guaranteed|transferable)|non-?refundable|unable\sto|cannot\s(?:be|offer|provide|issue|"
        r"accept|make|process|give)|can['’]?t\sbe|no\slonger\s(?:supported|possible|accepted)|"
        r"only\s(?:accept|possible|be|process|discuss)|is\srequired|must\sbe|are\srequired|"
        r"nothing\scan\sbe)\b"),
    "standard": Rule(
        r"\b(?:standard|automatic(?:ally)?|as\sper|in\saccordance|in\sline\swith|per\ssystem|"
        r"as\sstated|as\smentioned|all\scustomers|always\sbeen|by\sdesign|designed)\b"),
    "fee_applies": Rule(
        r"\b(?:fee|charge|charges|penalty|interest)\s(?:\w+\s){0,4}(?:appl(?:y|ies)|added|payable|"
        r"charged|stands?)\b", r"\bpayable\b", r"\boverdue\b", r"\bkindly\s(?:pay|settle)\b"),
    "customer_duty": Rule(
        rf"\b{_CUSTOMERS}(?:['’]s?)?\s(?:are|is|must|should|need)\b", r"\bresponsib\w+\b",
        r"\bduty\b", r"\bcaused\sby\b", rf"\bby\sthe\s{_CUSTOMERS}\b"),
    "perhaps_you": Rule(
        r"\b(?:perhaps|maybe|possibly|might|may)\b[^.!?]{0,30}\b(?:you|your|yours)\b",
        r"\b(?:you|your|yours)\b[^.!?]{0,30}\b(?:perhaps|maybe|possibly)\b",
        r"\byou\s(?:may|might|must|will|['’]ll)\shave\b", r"\byou['’]?ll\shave\b"),
    "are_you_sure": Rule(
        r"\b(?:are\syou\s(?:sure|certain)|did\syou\s(?:\w+\s)?(?:read|check|follow|put|give|enter|"
        r"use|press|leave|drop|wash|change|forget|lock|keep)|have\syou\s(?:\w+\s)?(?:read|checked|"
        r"tried|followed|been)|do\syou\s(?:dry|keep|use|leave)|was\s(?:the|your|it)\s(?:\w+\s)"
        r"{0,3}(?:wet|off|open|wrong|inserted))\b"),
    "usually_user": Rule(
        r"\b(?:usually|generally|often|most(?:ly)?|typically|in\smost\scases|many|normally|tends?)"
        r"\b[^.!?]{0,80}\b(?:caused|cause|happens?|comes?|due|user\w*|customers?|people|handling|"
        r"misuse|breaks?|wrong\w*|careful|enough)\b"),
    "you_failed": Rule(
        r"\b(?:you\s(?:have\s)?(?:failed|forgot\w*|did\s?n[o'’]t|did\snot|have\snot|haven['’]t|"
        r"were\snot|must\shave|should\shave|could\shave|accepted|agreed|signed|chose|decided|"
        r"entered|lost|damaged|overlooked|missed)|as\syou\s(?:did|have|were)|if\syou['’]d|"
        r"failure\sto|improper\w*|incorrect(?:ly)?|misuse|overload\w*|lifestyle|sensitive|"
        r"not\sat\shome|nobody\s(?:opened|answered)|wear\sand\stear|was\sunable\sto\sreach)\b"),
    "make_sure": Rule(
        r"\b(?:make\ssure|ensure|be\scareful|take\scare\sto|remember\sto|double-?check|"
        r"please\s(?:check|read|follow|ensure|train|persevere)|as\sinstructed|properly|correctly|"
        r"with\scare)\b"),
    "send_us": Rule(
        r"\b(?:send|forward|provide|attach|upload|submit|supply|share|e-?mail|resend|re-send|post|"
        r"give|tell|inform|confirm|state|describe|complete|fill|quote|enclose)\b[^.!?]{0,60}\b(?:"
        r"us|me|your|the|a|copy|photos?|screenshots?|proof|number|details|form|again|receipt|"
        r"reference)\b"),
    "could_you_send": Rule(
        r"\b(?:(?:could|can|would|will|may)\s(?:you|u|i)\s(?:please\s|kindly\s|also\s)?(?:send|"
        r"forward|provide|give|confirm|tell|let|share|attach|upload|describe|have)|please\s(?:"
        r"also\s|kindly\s)?(?:send|forward|provide|give|confirm|tell|share|attach|upload|describe|"
        r"resend|supply|submit|state|quote|complete|fill)|what(?:['’]s|\sis)\syour)\b"),
    "document": Rule(
        r"\b(?:proof|cop(?:y|ies)|photos?|photographs?|pictures?|screenshots?|receipt|invoice|"
        r"contract|certificate|confirmation|statement|slip|documents?|headers?|log\sfile|"
        r"e-?mail|letter|offer|extract|form)\b"),
    "identifier": Rule(
        r"\b(?:order|account|customer|reference|serial|booking|ticket|member(?:ship)?|policy|"
        r"invoice|case|reg(?:istration)?|phone|telephone|contract|repair|delivery)\s?(?:no\b|id\b|"
        r"number|ref\w*)|date\sof\sbirth|full\sname|your\s(?:\w+\s)?(?:address|postcode|username|"
        r"name|number|email|e-mail)\b"),
    "our_form": Rule(
        r"\b(?:form|portal|website|web\ssite|online|the\sapp|log\s?in|help\s(?:cent(?:re|er)|page)|"
        r"faq|our\ssite|user\sguide|chapter|knowledge\sbase|link)\b"),
    "offer": Rule(
        r"\b(?:upgrad\w+|discount\w*|offers?|save|savings?|deal|bundle|add-?on|premium|gold|"
        r"promo\w*|"
        r"sale|brochure|quote|rate\scard|voucher\scode|use\scode|early\sbird|newsletter|"
        r"trade-?in|renew(?:al|ing)?|subscription|extend|loyalty|refer\sa\sfriend|raffle)\b"),
    "pitch": Rule(
        r"\b(?:by\sthe\sway|btw|while\s(?:you['’]?re|you\sare|i\shave|we\swait|you\swait)|"
        r"did\syou\s"
        r"know|why\snot|have\syou\s(?:seen|thought|considered)|would\syou\slike|can\si\s(?:also\s)?"
        r"interest|shall\s(?:i|we)\s(?:set|switch|put|send|sign|add|book)|you\s(?:may|might)\salso|"
        r"ask\s(?:us\s|me\s)?about|don['’]t\smiss|for\s(?:just|only)|lock\sin|ps\b|p\.s\.|"
        r"as\sa\s(?:tip|valued)|half\sprice|reply\syes|order\s(?:now|by|before|today)|book\s(?:now|"
        r"your|today)|(?:renew|sign|join|shop|upgrade|buy)\s(?:today|now|online|for|up)|"
        r"limited\stime|now\son|win\sa)\b"),
    "percent_off": Rule(r"\d+\s?%\s(?:off|discount|on|early|introductory|saving|cheaper)|"
                         r"\b(?:free|only|just)\s(?:\w+\s){0,3}[£$€]?\d|\b\d\sfor\s(?:\d|"
                         r"the\sprice)|"
                         r"[£$€]\s?\d[\d.,]*\s?(?:/|a|per)\s?(?:mo|month|year|yr|week|ear)"),
    "price": Rule(r"[£$€]\s?\d", r"\b\d[\d.,]*\s?(?:eur|usd|gbp|pounds|euros?|dollars|rupees)\b"),
    "contact_others": Rule(
        r"\b(?:please|kindly|you(?:['’]d|['’]ll|\swould|\swill|\sshould|\smay|\smight|\scan)?|"
        r"they\sshould|they['’]d)\s(?:\w+\s){0,3}(?:contact|speak|talk|ask|reach|ring|call|write|"
        r"e-?mail|telephone|take\s(?:this|it)|consult|address|check\swith|refer)\b",
        r"\b(?:contact|speak\sto|talk\sto|ask|write\sto|call|email|check\swith)\s(?:your|the|our|"
        r"them)\b"),
    "not_us": Rule(
        r"\b(?:not\s(?:us|our|by\sus|something\sour|the\s\w+)\b[^.!?]{0,40}|we\s(?:only|do\snot|"
        r"don['’]t)\s(?:deal|handle|do|finance|control|see|have)|i\s(?:only|can['’]?t|"
        r"cannot)\s(?:do|"
        r"see|access|help|waive)|handled?\sby|dealt?\swith\sby|run\sby|done\sby|made\sby|third\s"
        r"party|outside\s(?:agency|company)|responsible\sfor|franchise|not\sliable|is\sa\smatter|"
        r"does\snot\shandle|(?:only|just)\sdeals?|deals?\s(?:only\s)?with|this\smailbox|"
        r"goes?\sto)\b"),
    "desk": Rule(
        r"\b(?:team|desk|department|dept|office|branch|shop|dealer|carrier|courier|accounts|"
        r"billing|"
        r"sales|finance|support|technical|claims|agency|bank|provider|manufacturer|supplier|depot|"
        r"colleagues?|helpdesk|franchise|garage)\b"),
    "their_address": Rule(r"\S@\S|\bext\.?\s?\d|\b0\d{3,4}\s\d{3}"),
    "passed_on": Rule(
        r"\b(?:pass(?:ed|ing)?\s(?:\w+\s){0,4}(?:on|to)|forwarded|transferr?\w*|logged|noted?|"
        r"escalated|raised|opened\sa\s(?:ticket|case)|with\sthe\s\w+\steam|relevant|"
        r"in\sorder\sof)\b"),
    "correct": Rule(
        r"\b(?:is|are|was|were|found|stands?|been)\s(?:\w+\s){0,2}(?:correct|valid|right|final|"
        r"in\sorder|as\sper|accurate|fine|normal|legitimate)\b", r"\bstands\b", r"\bcorrect\b",
        r"\ball\s(?:systems|set|correct|good|green)\b"),
    "closed": Rule(
        r"\b(?:(?:case|ticket|claim|matter|chat|query|complaint|request)\b[^.!?]{0,30}\b(?:closed|"
        r"resolved|rejected|declined|ending|end)|now\sclosed|closing\sth|we\strust\sthis|"
        r"nothing\s(?:more|further|wrong)|no\s(?:fault|error|record|trace|issue|"
        r"problem)s?\s?(?:was\s"
        r"|were\s)?(?:found)?)\b"),
    "our_records": Rule(
        r"\b(?:our|the|my)\s(?:records?|system|sheet|screen|status\spage|side|files?|log)\b[^.!?]"
        r"{0,20}\b(?:shows?|says?|see|have|hold|display|indicate\w*)\b",
        r"\b(?:we|i)\s(?:can\s)?(?:show|see|have)\s(?:no|only|\w+\son)\b", r"\bon\sour\s(?:side|"
                                                                           r"end)\b",
        r"\b(?:unable\sto\slocate|can(?:no|['’])t\s(?:find|locate|see))\b"),
    "anything_else": Rule(
        r"\banything\selse\b", r"\bhope\sthis\s(?:helps|clarifies)\b", r"\b(?:have\sa|"
                                                                       r"enjoy\syour)\s"
        r"(?:great|lovely|nice|productive|good)\b", r"\brate\s(?:us|our|your)\b",
        r"\bhow\sdid\swe\sdo\b", r"\b(?:five|5)\sstars\b"),
    "thanks_contact": Rule(
        r"\b(?:thank(?:s|\syou)\sfor\s(?:contacting|reaching|getting|your\s(?:e-?mail|message|"
        r"contact|enquiry|inquiry|interest|patience|feedback|query|letter)|writing)|"
        r"thanks\sfor\sletting|we\s(?:value|appreciate|take))\b"),
    "dear_anonymous": Rule(
        r"\bdear\s(?:valued\s)?(?:sir|madam|customer|guest|member|client|user|applicant|candidate|"
        r"parent|tenant|passenger|subscriber|farmer|resident|patient|traveller)\b", r"\bvalued\b"),
    "regret_set": Rule(
        r"\b(?:understand\s(?:your|that|how)|(?:sorry|apologi[sz]e)\s(?:for|about)\s(?:the|any|"
        r"this)\s"
        r"(?:inconvenience|delay|trouble|mix)|sorry\sto\shear|for\sany\sinconvenience|"
        r"your\s(?:patience|understanding))\b"),
    "real_sorry": Rule(
        r"\b(?:our\s(?:mistake|fault|error)|my\s(?:mistake|fault|error)|we\s(?:got|made|"
        r"were\swrong|"
        r"should\shave|failed|missed)|i\s(?:got|missed|should\shave|was\swrong|misread|am\ssorry|"
        r"deserved)|i['’]m\ssorry|you(?:['’]re|\sare|\swere)\s(?:right|quite\sright|absolutely)|"
        r"were\swrong|was\swrong|not\syour\s(?:fault|doing)|that['’]s\son\sus)\b"),
    "i_will": Rule(
        r"\b(?:i|we)(?:['’]ll|\swill)\b", r"\b(?:i|we)(?:['’]m|['’]re|\sam|\sare)\s\w+ing\b",
        r"\blet\sme\b", r"\b(?:shall|can|could|may)\s(?:i|we)\s(?:ring|call|come|drive|phone)\b"),
    "i_have": Rule(
        r"\b(?:i|we)(?:['’]ve|\shave)\s(?:now\s|just\s|already\s)?(?!no\b|not\b|to\b|only\b|"
        r"checked\b"
        r"|reviewed\b)\w+", r"\b(?:is|are|was|were|been)\s(?:now\s)?(?:refunded|credited|cancelled|"
        r"corrected|attached|removed|replaced|reversed|void|done|booked|moved|fixed|released)\b",
        r"\bdone\b", r"\b(?:goes|went|go)\s(?:back|out)\b"),
    "when": Rule(
        r"\b(?:today|tonight|tomorrow|mon|tues|wednes|thurs|fri|satur|sun)(?:day)?\b",
        r"\b(?:by|before|within|at|until)\s\d", r"\b(?:this|next)\s(?:week|morning|afternoon|"
                                                r"evening)",
        r"\b(?:jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec)\w*\s\d|\b\d\d?(?:st|nd|rd|"
        r"th)?\s"
        r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"),
    "vague_when": Rule(
        r"\b(?:shortly|soon|as\ssoon\sas|in\sdue\scourse|when\s(?:there\sis|we\shave)|asap|"
        r"(?:\d+|ten|five|several)(?:\s?[-–]\s?\d+|\sto\s\w+)?\s(?:working|business)\sdays|"
        r"will\sbe\sin\stouch|(?:may|will|should)\s(?:be\sin|contact|respond|get\sback)|"
        r"to\sbe\sadvised|be\sadvised|estimates?|usually\stakes?|being\slooked)\b"),
    "someone": Rule(
        r"\b(?:someone|somebody|a\scolleague|one\sof\sour|our\steam|the\steam|they)\s(?:\w+\s)?(?:"
        r"will|may|should|is|are|['’]ll)\b"),
    "restart": Rule(
        r"\b(?:turn(?:ing)?\s(?:it|them|the\s\w+)?\s?off\sand|restart\w*|reboot|reinstall|"
        r"clear\s(?:"
        r"your|the)\s(?:cache|cookies)|unplug|power\skey|reset|another\s(?:browser|connection)|"
        r"spam\sfolder|hold\s(?:the|down))\b"),
    "how_about_call": Rule(
        r"\b(?:ring|call|phone)\syou\b|\byour\s(?:line|phone)\b|\bmy\s(?:direct|own)\s(?:line|"
        r"number)"),
    "step": Rule(r"\b(?:press|tap|click|open|settings|switch|select|choose|tick|plug|turn|wipe|"
                  r"top\s"
                  r"right|menu|do\syou\ssee|what\sdo(?:es)?\s(?:you|it)|does\s(?:it|the)|"
                  r"is\s(?:it|the)\s"
                  r"\w+)\b"),
    "yes_no": Rule(r"^\W{0,4}(?:(?:hi|hello|dear|hey|morning)\b[^,!.]{0,25}[,!.]\s?)?(?:yes|no|"
                    r"it\s"
                    r"is|it\sdoes|you\sdo|you\scan|correct|exactly|neither|both)\b"),
    "again": Rule(r"\b(?:again|once\smore|still|already|resend|re-?submit|re-?upload|"
                   r"as\smentioned|"
                   r"as\s(?:i|we)\ssaid|to\sclarify|in\sfact|actually|always)\b"),
    "told_not": Rule(r"\b(?:mistaken|misinformed|disregard|ignore|not\sbinding|should\snever|"
                      r"(?:is|was|are)n?['’]?t?\snot\b|no\slonger|instead|the\scorrect)\b"),
    "survey": Rule(r"\b(?:survey|feedback|rate\s(?:your|us|our)|stars|review\sus|"
                    r"experience\sfrom)\b"),
    "reminder": Rule(r"\b(?:reminder|despite|overdue|past\sdue|expires?|due\sfor|outstanding|"
                      r"we\s(?:still\s)?miss\syou|been\sa\swhile|last\schance|floating|"
                      r"bubbling)\b"),
}  # fmt: skip

#: Phrases that mean something else when they meet in one sentence.
TOGETHER: Final = (
    ("not_possible", "terms"), ("customer_duty", "make_sure"), ("contact_others", "desk"),
    ("contact_others", "their_address"), ("contact_others", "our_form"), ("not_us", "desk"),
    ("could_you_send", "document"), ("could_you_send", "identifier"), ("could_you_send", "again"),
    ("pitch", "offer"), ("pitch", "percent_off"), ("offer", "percent_off"), ("offer", "price"),
    ("i_will", "when"), ("i_have", "when"), ("someone", "when"), ("someone", "vague_when"),
    ("passed_on", "desk"), ("correct", "our_records"), ("perhaps_you", "are_you_sure"),
    ("i_will", "desk"), ("fee_applies", "terms"), ("you_failed", "fee_applies"),
    ("usually_user", "you_failed"), ("passed_on", "vague_when"),
)  # fmt: skip


#: What replies ask for: the words that ask for it, and the words with which customers gave it.
THINGS: Final[Mapping[str, tuple[Rule, Rule]]] = {
    "number": (
        RULES["identifier"],
        Rule(r"\b[a-z]{1,5}[-/]?\d[\da-z/-]{2,}|\b\d{4,}\b|[#№]\s?\d|\b(?:ref|no|number)\b"
                   r"[^.!?\n]{0,20}\d"),
    ),
    "picture": (
        Rule(r"\b(?:photo\w*|pictures?|screenshots?|video|scan|images?)\b"),
        Rule(r"\b(?:photo\w*|pictures?|pics?|screenshots?|video|scans?|images?)\b"),
    ),
    "document": (
        RULES["document"],
        Rule(r"\b(?:attach\w*|enclos\w*|i\s(?:have\s)?(?:sent|posted|uploaded|forwarded|filled)|"
              r"(?:sent|forwarded|uploaded)\s(?:it|you|them|the|my|our)|here\s(?:it\s)?is|copied|"
              r"below|certificate|receipt|statement|slip|letter|proof)\b"),
    ),
    "phone": (
        Rule(r"\b(?:phone|telephone|mobile|number\s(?:can|to|we)|reach\syou|call\sus|ring\sus)\b"),
        Rule(r"\+?\d[\d\s()-]{7,}\d"),
    ),
    "address": (
        Rule(r"\b(?:address|postcode|zip)\b"),
        Rule(r"\b(?:address|postcode|street|road|lane|avenue)\b|\b\d{1,4}\s[a-z]+\s(?:st|rd|row|"
              r"ave|way|close|drive)\b"),
    ),
    "account": (
        Rule(r"\b(?:describe|explain|details?|tell\sus|let\sus\sknow|more\sinformation|specify|"
              r"what\s(?:is|was|happened)|which\s(?:\w+\s)?(?:is|are|page|week|one))\b"),
        Rule(r"\b(?:i\s(?:said|wrote|told|explained|described|mentioned|gave)|as\s(?:i|we)\s|"
              r"already|again|twice|third|told\syou)\b"),
    ),
    "form": (
        RULES["our_form"],
        Rule(r"\b(?:form|portal|website|page|link|app|site|log\s?in|button)\b"),
    ),
    "attempt": (
        RULES["restart"],
        Rule(r"\b(?:tried|restart\w*|reset|reboot\w*|reinstall\w*|cleared|unplugg\w*|turned\s(?:it"
              r"|them)|done|did\s(?:it|that|all)|cache|cookies|power)\b"),
    ),
    "again": (
        Rule(r"\b(?:again|resend|re-?send|re-?submit|re-?upload|once\smore|another\scopy|"
              r"still\swaiting\sfor\syour)\b"),
        Rule(r"\b(?:sent|attached|gave|told|wrote|forwarded|uploaded)\b"),
    ),
}  # fmt: skip
ASKING: Final = Rule(
    RULES["could_you_send"].pattern,
    r"\?\W*$",
    r"\b(?:please|kindly|need\s(?:a|the|your)|require)\b",
)

#: Kinds of question, and the words that an answer to one brings.
QUESTIONS: Final[Mapping[str, tuple[Rule, Rule]]] = {
    "why": (Rule(r"\b(?:why|how\scome|what\s(?:is|are)\s(?:this|that|the|it)\b[^?]{0,40}\bfor)\b"),
            Rule(r"\b(?:because|since|reason|due|as\s(?:the|your|we)|so\sthat|caused|mistake|"
                  r"wrong|was\s\w+ed)\b")),
    "when": (Rule(r"\b(?:when|how\slong|what\s(?:day|date|time)|by\swhen|until)\b"),
             RULES["when"]),
    "amount": (Rule(r"\bhow\smuch|how\smany|what\s(?:does|do|is|would)\b[^?]{0,30}\b(?:cost|price|"
                     r"total|fee)|which\s(?:figure|number|amount|price)"),
               Rule(r"\d|\bfree\b|\bnothing\b")),
    "yes_no": (Rule(r"(?:^|[.!,]\s)\W{0,3}(?:and\s|so\s|but\s|or\s)?(?:is|are|was|were|do|does|"
                     r"did|"
                     r"can|could|will|would|should|have|has|may|am)\b"),
               Rule(r"\b(?:yes|no|yep|nope|correct|right|neither|both|exactly|sure|afraid|not|"
                     r"can|does|is)\b")),
    "which": (Rule(r"\b(?:which|who|whose|or\s(?:is|not|the|do|does))\b"),
              Rule(r"\b(?:the\s(?:first|second|right|correct|latest|page|mail|letter)|neither|"
                    r"both|"
                    r"one)\b")),
    "how": (Rule(r"\bhow\s(?:do|does|can|to|did|should|is|come)\b"),
            Rule(r"\b(?:press|open|click|choose|step|settings|first|then|by|line\sby\sline|plus|"
                  r"minus|because)\b|[=+:>]")),
}  # fmt: skip
