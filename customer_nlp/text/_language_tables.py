"""Frequent words and telling letters of the languages that `language` knows.

Own tables: function words (articles, pronouns, prepositions, auxiliaries), and the words that
customers write most: greetings, thanks, orders, money, time. Words that several languages share
are listed under each of them; their weight falls with the number of languages.
"""

from __future__ import annotations

from typing import Final

__all__ = ["LETTERS", "SCRIPTS", "WORDS"]

#: Language -> its frequent words, case-folded (``ß`` is ``ss``).
WORDS: Final = {
    "en": (
        "the of and to in is you that it he was for on are as with his they i at be this have "
        "from or one had by but not what all were we when your can said there use an each which "
        "she do how their if will up other about out many then them these so some her would "
        "make like him into time has look two more write go see no way could people my than "
        "first been call who its now find long down day did get come made may part i'm i've i'd "
        "i'll you're we're don't can't won't didn't doesn't isn't wasn't it's that's what's "
        "there's couldn't wouldn't haven't hasn't aren't weren't let's they're you've we've im "
        "ive dont cant wont didnt doesnt isnt wasnt thats whats u ur pls plz thx thks ty lol "
        "omg wtf idk btw gonna wanna gotta cuz bc tho y'all yall ok okay yeah yep nope yes hi "
        "hello hey dear thanks thank please sorry regards cheers sincerely kind best just still "
        "again already never ever always even only back off over after before because why where "
        "here very really too also much any every most same another such own both few might "
        "must shall should does done doing being having got getting going went gone know think "
        "want need tell told say says give gave given take took keep put let seem seems feel "
        "works working worked work help helped issue issues problem problems order ordered "
        "orders invoice bill billed billing refund refunded account card charge charged charges "
        "pay paid payment delivery delivered service customer support phone number email mail "
        "received receive sent send waiting wait week weeks month months days today tomorrow "
        "yesterday morning afternoon evening night monday tuesday wednesday thursday friday "
        "saturday sunday january february march april june july august october december new "
        "good great bad worst better nice love hate happy terrible awful horrible disappointed "
        "disappointing frustrated frustrating annoying ridiculous useless rude cancel cancelled "
        "canceled subscription update updated fix fixed broken wrong right item items product "
        "price money store shop website online app address change changed someone anyone "
        "something anything nothing everything somebody nobody everyone person man woman guys "
        "thing things place name question answer reply replied ask asked asking between through "
        "during without under until while since against though although however whether per via "
        "yet else instead maybe perhaps almost enough quite rather sure true old little big "
        "small last next high low free full early late later soon us me mine yours our ours "
        "those whose whom myself yourself around away together hours hour minutes minute second "
        "seconds times once twice year years ago half hello there hold line speak talk spoke "
        "speaking lost lose missing miss stop start stopped try tried trying buy bought "
        "purchase return returned returning replacement warranty package parcel shipping "
        "shipped tracking delayed delay flight booking book booked hotel password login log "
        "reset sign open close closed set check checked able unable cannot wish hope believe "
        "understand explain confused confusing unacceptable complaint complain manager company "
        "business team staff agent member yo bro dude pic lmao smh fml tbh imo rn af ya ain't "
        "aint rly thru til coz cos wat wot dis dat gud m8 luv r n w b4 gr8 l8r 2day 2moro txt "
        "msg ppl abt acc ac info asap fyi"
    ),
    "de": (
        "der die das und ist nicht ich sie es ein eine einen einem einer eines zu den dem des "
        "mit auf für von im in an bei nach aus um am als auch wie wir ihr er so dass wenn aber "
        "oder noch nur schon sehr mehr kann können könnte habe haben hat hatte hatten wird "
        "werden wurde wurden sind war waren bin sein seine mein meine meinen meinem meiner ihre "
        "ihren ihrem ihrer ihnen unser unsere unseren uns mich mir dich dir man kein keine "
        "keinen was wer wo warum wann wieso bitte danke hallo guten tag sehr geehrte geehrter "
        "damen herren herr frau liebe lieber grüße grüßen freundlichen mfg vielen dank rechnung "
        "bestellung bestellt lieferung geliefert paket konto kündigen kündigung vertrag geld "
        "zurück euro immer wieder nichts etwas alles jetzt heute morgen gestern seit über unter "
        "vor zwischen durch gegen ohne bis zum zur beim vom ins ab doch mal ja nein gut "
        "schlecht leider gerne gern möchte würde soll sollte muss müssen darf weil denn also "
        "dann dort hier da diese dieser dieses diesen diesem jede jeder jedes woche wochen "
        "monat monate tage jahr jahre uhr stunden kunde kunden kundin service nummer anruf "
        "telefon gesagt bekommen erhalten gibt geht funktioniert kaputt defekt falsch problem "
        "hilfe antwort warten warte gewartet nochmal endlich überhaupt zwei drei vier fünf zehn "
        "montag dienstag mittwoch donnerstag freitag samstag sonntag gruß viele beste wurde "
        "worden hätte wäre ihm ihn selbst bereits nun zwar sondern sowie einfach wirklich genau "
        "heißt steht kommt machen gemacht lassen sagen mehrmals vielleicht"
    ),
    "fr": (
        "le la les de des du un une et est je vous nous il elle ils elles on que qui quoi ne "
        "pas plus pour par sur dans avec sans sous entre chez mais ou où donc car si ce cet "
        "cette ces mon ma mes ton ta tes son sa ses notre nos votre vos leur leurs au aux en y "
        "se me te lui ai as a avons avez ont suis es sommes êtes sont été était étais être "
        "avoir fait faire dit peut pouvez peux veux voulez voudrais dois doit très bien bonjour "
        "bonsoir merci cordialement salutations madame monsieur s'il plaît c'est j'ai n'est "
        "n'ai qu'il d'une d'un l'on commande facture livraison colis compte remboursement "
        "remboursé client service toujours jamais encore déjà rien tout tous toute toutes aussi "
        "alors comme quand comment pourquoi depuis avant après pendant jours jour semaine "
        "semaines mois an ans année heure heures hier demain aujourd'hui lundi mardi mercredi "
        "jeudi vendredi samedi dimanche oui non deux trois quatre cinq numéro téléphone réponse "
        "problème reçu recevoir envoyé attends attendre besoin même autre autres celui celle "
        "ceux cela ça ici là moi toi eux peu trop beaucoup chaque quel quelle quels quelles "
        "dont ni or lors ainsi afin voici voilà fois bon bonne mauvais nouveau nouvelle produit "
        "prix argent argent svp d'avance"
    ),
    "es": (
        "el la los las de del un una unos unas y e o u que en es por con para no sí si se su "
        "sus lo le les me te nos mi mis tu tus yo él ella ellos ustedes usted nosotros al a "
        "ante desde hasta sin sobre entre pero porque como cuando donde dónde cómo cuándo qué "
        "quién cuál más menos muy ya aún todavía también tampoco este esta estos estas ese esa "
        "eso esto está están estoy estaba ser soy son era fue fueron sido he ha han hemos había "
        "hay tengo tiene tienen tenía hacer hace hago hecho puede puedo pueden quiero quiere "
        "necesito hola buenos buenas días tardes noches gracias saludos atentamente estimado "
        "estimada estimados favor pedido factura envío entrega cuenta cliente servicio dinero "
        "devolución reembolso problema nunca siempre nada todo todos toda todas algo alguien "
        "nadie otra otro otros vez veces día semana semanas mes meses año años hora horas ayer "
        "mañana hoy lunes martes miércoles jueves viernes sábado domingo dos tres cuatro cinco "
        "teléfono número respuesta llamada recibido recibí espero esperando bien mal bueno "
        "mejor peor cada ni sino así entonces después antes ahora aquí allí mismo donde según "
        "ustedes quedo compra producto precio"
    ),
    "it": (
        "il lo la i gli le di del dello della dei degli delle un uno una e ed è che non in con "
        "su per tra fra da dal dalla dai a al alla ai alle nel nella nei nelle sul sulla ma o "
        "se come quando dove perché perche cosa chi quale quanto più meno molto anche ancora "
        "già mai sempre ho hai ha abbiamo avete hanno sono sei siamo siete era erano stato "
        "stata stati essere avere fare fatto posso può potete potrei vorrei voglio devo deve mi "
        "ti si ci vi ne lui lei noi voi loro mio mia miei mie tuo tua suo sua suoi sue nostro "
        "nostra vostro vostra questo questa questi queste quello quella ciao salve buongiorno "
        "buonasera gentile gentili grazie prego saluti cordiali distinti ordine fattura "
        "spedizione consegna pacco conto cliente servizio rimborso problema niente nulla tutto "
        "tutti tutte qualcosa nessuno altro altra volta volte giorno giorni settimana settimane "
        "mese mesi anno anni ora ore ieri domani oggi lunedì martedì mercoledì giovedì venerdì "
        "sabato domenica due tre quattro cinque numero telefono risposta ricevuto attendo "
        "attesa bene male buono meglio ogni dopo prima adesso qui così però quindi senza sotto "
        "sopra dell'ordine c'è all'ordine l'ordine un'altra prodotto prezzo soldi sia stesso"
    ),
    "pt": (
        "o a os as de do da dos das um uma uns umas e é que em no na nos nas por pelo pela para "
        "com sem sob sobre entre não sim se me te lhe nos meu minha meus minhas seu sua seus "
        "suas eu tu ele ela eles elas nós vocês você ao à aos às mas ou porque porquê como "
        "quando onde quem qual mais menos muito muita também ainda já nunca sempre este esta "
        "estes estas esse essa isso isto aquele está estão estou estava ser sou são era foi "
        "foram sido ter tenho tem têm tinha há fazer faz feito pode posso podem quero quer "
        "preciso gostaria olá oi bom boa dia tarde noite obrigado obrigada atenciosamente "
        "cumprimentos prezado prezada prezados favor pedido fatura encomenda entrega conta "
        "cliente serviço dinheiro devolução reembolso problema nada tudo todos toda todas algo "
        "alguém ninguém outra outro outros vez vezes semana semanas mês meses ano anos hora "
        "horas ontem amanhã hoje segunda terça quarta quinta sexta sábado domingo dois duas "
        "três quatro cinco telefone número resposta recebi recebido aguardo espero bem mal "
        "melhor cada nem assim então depois antes agora aqui mesmo até desde vossa vosso "
        "produto preço compra comprei continuo deste desta neste nesta"
    ),
    "nl": (
        "de het een en van ik je u jij jullie wij we zij ze hij het dat die dit deze is zijn "
        "was waren ben bent niet geen wel ook nog al maar of als dan toen voor op in aan met "
        "bij naar uit over door om te tot onder tussen tegen zonder na mijn jouw uw ons onze "
        "hun haar hem mij me er hier daar wat wie waar wanneer waarom hoe welke veel meer "
        "minder zeer heel erg heb hebt heeft hebben had hadden kan kunt kunnen kon zou zouden "
        "wil wilt willen moet moeten mag worden wordt werd geworden gaat gaan doen doet gedaan "
        "goed slecht graag alstublieft bedankt dank hallo beste geachte heer mevrouw groet "
        "groeten vriendelijke bestelling besteld factuur levering geleverd pakket rekening "
        "klant klantenservice geld terug probleem altijd nooit niets iets alles iemand niemand "
        "andere keer dag dagen week weken maand maanden jaar uur gisteren morgen vandaag "
        "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag twee drie vier vijf "
        "telefoon nummer antwoord ontvangen wachten wacht zelf steeds weer sinds omdat want dus "
        "toch nu even jammer helaas kapot werkt ja nee zo hebben zeggen gezegd zien krijg "
        "krijgen gekregen product prijs opnieuw"
    ),
    "da": (
        "og i jeg det at en den til er som på de med han af for ikke der var mig sig men et har "
        "om vi min havde ham hun nu over da fra du ud sin dem os op man hans hvor eller hvad "
        "skal selv her alle vil blev kunne ind når være dog noget ville jo deres efter ned "
        "skulle denne end dette mit også under have dig anden hende mine alt meget sit sine vor "
        "mod disse hvis din nogle hos blive mange ad bliver hendes været jer sådan hej tak "
        "venlig hilsen kære mvh bestilling faktura levering pakke konto kunde penge tilbage "
        "svar problem aldrig altid intet igen allerede endnu kun lige nogen ingen hvornår "
        "hvorfor hvordan fået får gange dag dage uge uger måned måneder år time timer i går "
        "morgen mandag tirsdag onsdag torsdag fredag lørdag søndag to tre fire fem telefon "
        "nummer modtaget vente venter desværre gerne kan siden siger sagt jeres virker ødelagt "
        "beløb undskyld varen købt ring hvilken hvilket ordre bestilt uden mellem"
    ),
    "no": (
        "og i jeg det at en den til er som på de med han av for ikke der var meg seg men et har "
        "om vi min hadde ham hun nå over da fra du ut sin dem oss opp man hans hvor eller hva "
        "skal selv her alle vil ble kunne inn når være noe ville jo deres etter ned skulle "
        "denne enn dette mitt også under ha deg annen henne mine alt mye veldig sitt sine mot "
        "disse hvis din noen hos bli mange blir hennes vært dere sånn hei takk vennlig hilsen "
        "kjære mvh bestilling faktura levering pakke konto kunde penger tilbake svar problem "
        "aldri alltid ingenting igjen allerede ennå bare akkurat ingen hvorfor hvordan fått får "
        "ganger dag dager uke uker måned måneder år time timer gikk morgen mandag tirsdag "
        "onsdag torsdag fredag lørdag søndag to tre fire fem telefon nummer mottatt vente "
        "venter dessverre gjerne kan siden sier sagt deres virker ødelagt beløp beklager varen "
        "kjøpt ringe gjøre hvilken ordre bestilt uten mellom noe ikkje eg frå"
    ),
    "sv": (
        "och i att det som en på är av för med till den har de inte om ett han men var jag sig "
        "från vi så kan när hon ska nu vid eller då under också efter sin upp alla ut mot vara "
        "in dem här där vad hur varför vem skulle hade blev bli blir mycket mer denna detta "
        "dessa mig dig oss er min mitt mina din ditt dina vår vårt våra deras hans hennes något "
        "någon några inget ingen alltid aldrig igen redan ännu bara hej tack vänlig vänliga "
        "hälsning hälsningar bästa beställning beställt faktura leverans paket konto kund "
        "pengar tillbaka svar problem fått får gånger dag dagar vecka veckor månad månader år "
        "timme timmar igår imorgon idag måndag tisdag onsdag torsdag fredag lördag söndag två "
        "tre fyra fem telefon nummer mottagit vänta väntar väntat tyvärr gärna sedan säger sagt "
        "fungerar trasig ber vill måste göra gör gjort kunde finns utan mellan över ni er era "
        "ert hos men annan vilken"
    ),
    "pl": (
        "w i z na do nie się że to jest o po za od dla przez jak ale czy tak już tylko był była "
        "było być są jestem mam ma mnie mi mój moja moje moją mojego pan pani państwo państwa "
        "proszę dziękuję dzień dobry witam pozdrawiam szanowni szanowny co kiedy gdzie dlaczego "
        "kto który która które ten ta te tego tej tym tych jeszcze bardzo może można nic "
        "wszystko ktoś nikt też oraz lub albo bo więc ponieważ jeśli przed pod nad między bez u "
        "we ze ani zawsze nigdy zamówienie zamówienia zamówiłem faktura faktury faktury "
        "przesyłka paczka konto klient klienta obsługa pieniądze zwrot problem znowu dni dzień "
        "tydzień tygodnie tygodni miesiąc miesięcy rok lat godzin godziny wczoraj jutro dzisiaj "
        "dziś poniedziałek wtorek środa czwartek piątek sobota niedziela dwa trzy cztery pięć "
        "telefon numer odpowiedź odpowiedzi otrzymałem otrzymałam dostałem czekam nadal działa "
        "został została chcę chciałbym chciałabym będzie będę mogę moga swoje nasz nam was wam "
        "jego jej ich im go ją nim"
    ),
    "fi": (
        "ja on ei että se oli mutta en hän tai kun niin kuin ovat ole mitä myös minun minä te "
        "jos vain nyt sen siitä tämä olen ollut voi kuitenkin hei kiitos terveisin tilaus lasku "
        "vielä mikä missä miksi koska jo minulle teidän meidän hyvä päivää asiakas toimitus "
        "paketti rahat takaisin ongelma olisi pitäisi tänään eilen huomenna viikko"
    ),
    "cs": (
        "a je se na to že v s z do za o k po by jsem jsme jsou byl byla bylo ale jako tak co "
        "když který která které mi mě můj moje vás vám prosím děkuji dobrý den pozdravem "
        "objednávka objednávku faktura zásilka peníze zpět proč kdy kde již ještě není mám máte "
        "pouze jen nebo pro při až být dnes včera zítra týden měsíc nic vše už"
    ),
}

#: Letters that speak for languages (and so against English).
LETTERS: Final = {
    "ß": "de",
    "ä": "de sv fi",
    "ö": "de sv fi",
    "ü": "de",
    "å": "sv da no",
    "ø": "da no",
    "æ": "da no",
    "ñ": "es",
    "¿": "es",
    "¡": "es",
    "í": "es pt cs",
    "ó": "es pl pt",
    "ú": "es pt cs",
    "á": "es pt cs",
    "ã": "pt",
    "õ": "pt",
    "ê": "pt fr",
    "â": "pt fr",
    "ç": "fr pt",
    "è": "fr it",
    "ê ": "fr",
    "ù": "it fr",
    "ò": "it",
    "ì": "it",
    "à": "fr it pt",
    "œ": "fr",
    "û": "fr",
    "î": "fr",
    "ł": "pl",
    "ż": "pl",
    "ą": "pl",
    "ę": "pl",
    "ś": "pl",
    "ź": "pl",
    "ć": "pl",
    "ń": "pl",
    "ě": "cs",
    "ř": "cs",
    "ů": "cs",
    "č": "cs",
    "š": "cs",
    "ž": "cs",
    "ý": "cs",
}

#: First and last code point of scripts, and the language that they stand for.
SCRIPTS: Final = (
    (0x0370, 0x03FF, "el"),
    (0x1F00, 0x1FFF, "el"),
    (0x0400, 0x052F, "ru"),
    (0x0590, 0x05FF, "he"),
    (0x0600, 0x06FF, "ar"),
    (0x0750, 0x077F, "ar"),
    (0x0900, 0x097F, "hi"),
    (0x0E00, 0x0E7F, "th"),
    (0x1100, 0x11FF, "ko"),
    (0xAC00, 0xD7AF, "ko"),
    (0x3130, 0x318F, "ko"),
    (0x3040, 0x30FF, "ja"),
    (0x31F0, 0x31FF, "ja"),
    (0x3400, 0x4DBF, "zh"),
    (0x4E00, 0x9FFF, "zh"),
)
